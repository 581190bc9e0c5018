#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "organon/stages/evaluation/compared_volumes.h"
#include "organon/stages/evaluation/comparison_record.h"

namespace organon::stages {

/// What a person may see of a trial: not who is who.
struct TrialPictures {
  Array<std::uint8_t> raw;    ///< black 0, white 255
  Array<std::uint8_t> left;   ///< 1: foreground, 0
  Array<std::uint8_t> right;  ///< as left
};

/// A comparison under way, kept in a folder: comparison.json and comparison.csv, both written whole after
/// each answer. They say who was shown where: not to be read before the end.
///
/// Boxes are random cubes (cube_shape()) of which `mask_share` lies in the mask and that hold a foreground
/// voxel of either candidate. The comparison ends with its last answer, or before it when it is told to; what
/// was answered then stays. Deterministic by the seed. Where cancellation is asked for, a search for a box
/// ends with kCancelled.
///
/// Threads: all members may be called at the same time.
/// Source: [heinrich2021cosem] (its manual evaluation).
class Comparison {
 public:
  /// Goes on where the folder holds answers. Empty names become the paths of the candidates. Errors:
  /// those of ComparedVolumes and draw_box(); kInvalidArgument where the folder holds answers of a comparison
  /// with other options or volumes, naming the difference, the label is empty, or both names are equal;
  /// kAlreadyExists where another process has the folder; kCorruptData.
  Comparison(const ComparedAddresses& addresses, const ComparisonOptions& options,
             const std::filesystem::path& folder);
  ~Comparison();
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  /// A copy of what is kept.
  ComparisonRecord record() const;
  /// Voxels of all boxes.
  const Shape3& box_shape() const { return box_shape_; }

  /// `trial` from 0: the one that is to be answered, or the one after it. Errors: kNotFound for others, and
  /// once the comparison has ended; those of draw_box().
  TrialPictures pictures(std::uint64_t trial);
  /// Errors: kInvalidArgument where `trial` is not the one to be answered, has not been seen, or `seconds` is
  /// no time.
  void answer(std::uint64_t trial, Verdict verdict, double seconds);
  /// Takes the last answer back. Errors: kInvalidArgument where `trial` is not that of the last answer, its
  /// probability has been told (ComparisonRecord::num_told()), or the comparison has ended.
  void undo(std::uint64_t trial);
  /// Tells who is who: no answer follows. Errors: kInvalidArgument before the first answer.
  void end();

 private:
  struct DrawnTrial {
    Box box;
    std::string shown;
  };
  Box draw(std::uint64_t trial) const;
  void require_same_as(const ComparisonRecord& kept, const std::filesystem::path& file) const;
  void keep(ComparisonRecord changed);

  ComparedVolumes volumes_;
  ComparisonOptions options_;
  std::filesystem::path folder_;
  int lock_ = -1;
  Shape3 box_shape_{};
  std::mutex drawing_;  ///< held while volumes are searched: one search at a time
  mutable std::mutex keeping_;
  ComparisonRecord record_;                    ///< by keeping_
  std::map<std::uint64_t, DrawnTrial> drawn_;  ///< by keeping_
};

}  // namespace organon::stages
