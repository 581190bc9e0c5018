#include "organon/app/compare_api.h"

#include <fmt/format.h>

#include <charconv>
#include <exception>
#include <utility>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/storage/json_fields.h"

namespace organon::app {
namespace {

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr int kFailed = 500;
constexpr int kEnding = 503;
constexpr std::string_view kTrials = "trials/";

// Words of a request may be cut within a letter.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

server::ApiAnswer failure(int status, const std::string& words) {
  return {status, "application/json", text_of(Json({{"error", words}}))};
}

std::uint64_t trial_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::kNotFound, "there is no such trial");
  return number;
}

std::uint64_t trial_of(const Json& body) {
  const std::int64_t trial = storage::integer_field(body, "trial", "request");
  if (trial < 0) throw Error(ErrorKind::kCorruptData, "request: expected 'trial' to be 0 or more");
  return static_cast<std::uint64_t>(trial);
}

double seconds_of(const Json& body) {
  const Json& seconds = storage::field(body, "seconds", "request");
  if (!seconds.is_number())
    throw Error(ErrorKind::kCorruptData, "request: expected 'seconds' to be a number");
  return seconds.get<double>();
}

void add_bits(const Array<std::uint8_t>& inside, std::string& bytes) {
  const std::size_t begin = bytes.size();
  bytes.resize(begin + static_cast<std::size_t>((inside.size() + 7) / 8), '\0');
  for (std::int64_t i = 0; i < inside.size(); ++i) {
    if (inside.data()[i] == 0) continue;
    char& byte = bytes[begin + static_cast<std::size_t>(i / 8)];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (i % 8)));
  }
}

}  // namespace

CompareApi::CompareApi(stages::Comparison& comparison, std::function<void(const std::string&)> on_error)
    : comparison_(comparison), on_error_(std::move(on_error)) {}

server::ApiAnswer CompareApi::answer(const server::ApiRequest& request) {
  try {
    return route(request);
  } catch (const Error& error) {
    switch (error.kind()) {
      // Of the request itself; those of files are told on the terminal alone.
      case ErrorKind::kNotFound:
        if (request.path.starts_with(kTrials))
          return failure(kNotFound, "this trial is not to be judged now");
        break;
      case ErrorKind::kInvalidArgument:
        if (request.method == "POST") return failure(kConflict, error.message());
        break;
      case ErrorKind::kCorruptData:
        if (request.method == "POST") return failure(kBadRequest, error.message());
        break;
      case ErrorKind::kCancelled:
        return failure(kEnding, "organon compare is ending");
      default:
        break;
    }
    tell(error.what());
  } catch (const std::exception& error) {
    tell(error.what());
  }
  return failure(kFailed, "this did not work; the terminal of organon compare says why");
}

void CompareApi::tell(const std::string& words) const {
  try {
    on_error_(words);
  } catch (const std::exception&) {
    // Nobody reads the terminal any more.
  }
}

server::ApiAnswer CompareApi::route(const server::ApiRequest& request) {
  if (request.method == "GET") {
    if (request.path == "state") return state();
    if (request.path.starts_with(kTrials)) return voxels(request.path.substr(kTrials.size()));
  } else if (request.path == "answer" || request.path == "undo" || request.path == "end") {
    const Json body = parse_json(request.body, "request");
    if (!body.is_object()) throw Error(ErrorKind::kCorruptData, "request: expected an object");
    if (request.path == "answer") {
      const std::string verdict = storage::string_field(body, "verdict", "request");
      comparison_.answer(trial_of(body), stages::verdict_of(verdict), seconds_of(body));
    } else if (request.path == "undo") {
      comparison_.undo(trial_of(body));
    } else {
      comparison_.end();
    }
    return state();
  }
  return failure(kNotFound, "there is nothing of this name");
}

server::ApiAnswer CompareApi::state() const {
  const stages::ComparisonRecord record = comparison_.record();
  const stages::ComparisonCounts counts = record.counts();
  Json json;
  json["label"] = record.options.label;
  json["shape"] = storage::to_json(comparison_.box_shape(), storage::AxisOrder::kZyx);
  json["voxel_size_nm"] = storage::to_json(record.grid.voxel_size_nm, storage::AxisOrder::kZyx);
  json["num_trials"] = record.options.trials;
  json["num_answered"] = record.answered.size();
  json["both_good"] = counts.both_good;
  json["both_bad"] = counts.both_bad;
  const std::size_t num_told = record.num_told();
  json["num_told"] = num_told;
  json["probability"] = num_told == 0 ? Json(nullptr) : Json(record.counts(num_told).probability());
  json["is_ended"] = record.is_ended;
  json["result"] = record.is_ended ? stages::result_of(record) : Json(nullptr);
  return {200, "application/json", text_of(json)};
}

server::ApiAnswer CompareApi::voxels(const std::string& number) {
  const stages::TrialPictures pictures = comparison_.pictures(trial_number(number));
  std::string bytes(reinterpret_cast<const char*>(pictures.raw.data()),
                    static_cast<std::size_t>(pictures.raw.size()));
  add_bits(pictures.left, bytes);
  add_bits(pictures.right, bytes);
  return {200, "application/octet-stream", std::move(bytes)};
}

}  // namespace organon::app
