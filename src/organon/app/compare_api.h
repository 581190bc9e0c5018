#pragma once

#include <functional>
#include <string>

#include "organon/app/server/serve.h"
#include "organon/stages/evaluation/comparison.h"

namespace organon::app {

/// A comparison as its page sees it. Before the end nothing says who is who: no name, no path, no count of
/// either.
///
///     GET  state             what the page shows beside the pictures, below
///     GET  trials/<n>        voxels of trial n, from 0: that to be judged, or the next
///     POST answer            {"trial": n, "verdict": v, "seconds": s},
///                            v: "left", "right", "both_good", "both_bad"
///     POST undo              {"trial": n}, n of the last answer
///     POST end               {}: tell who is who
///
/// Each POST answers with the state: {"label", "shape" and "voxel_size_nm" of every trial (z, y, x),
/// "num_trials", "num_answered", "both_good", "both_bad", "num_told", "probability", "is_ended", "result":
/// null before the end, then as in comparison.json}. The probability is that of the first `num_told` answers,
/// null for none: with each answer it would tell for whom that counted. Voxels: uint8 of raw, zyx; then a bit
/// per voxel of what lies on the left, the lowest bit of a byte first, the last byte filled up with zeros;
/// then as many of what lies on the right. Errors are {"error": text}: 400 for what makes no sense, 404, 409
/// for what came too late, 500, and 503 while the program ends.
class CompareApi {
 public:
  /// `on_error` is told what went wrong inside, which may name files: called by threads of the server.
  CompareApi(stages::Comparison& comparison, std::function<void(const std::string&)> on_error);

  /// Does not throw. Threads: may be called by several at once.
  server::ApiAnswer answer(const server::ApiRequest& request);

 private:
  server::ApiAnswer route(const server::ApiRequest& request);
  server::ApiAnswer state() const;
  void tell(const std::string& words) const;
  server::ApiAnswer voxels(const std::string& number);

  stages::Comparison& comparison_;
  std::function<void(const std::string&)> on_error_;
};

}  // namespace organon::app
