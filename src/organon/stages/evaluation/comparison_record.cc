#include "organon/stages/evaluation/comparison_record.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "organon/base/error.h"
#include "organon/base/hash.h"
#include "organon/storage/json_fields.h"
#include "organon/tables/table_text.h"

namespace organon::stages {
namespace {

constexpr const char* kFormat = "organon-comparison/2";
constexpr std::int64_t kMostTrials = 10'000;
constexpr double kMostSeconds = 1e9;
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kAnswersAtOnce = 10;
// Beyond any volume, and far from where sums of voxels overflow.
constexpr std::int64_t kFurthestVoxel = std::int64_t{1} << 48;

const char* letter_of(Contender contender) { return contender == Contender::kA ? "a" : "b"; }

// The answer as it is kept: of the candidates, not of the sides.
std::string answer_text(const BlindedTrials& chance, std::uint64_t trial, Verdict verdict) {
  if (verdict == Verdict::kBothGood || verdict == Verdict::kBothBad) return std::string(to_string(verdict));
  return letter_of(chance.counted_for(trial, verdict));
}

struct BoxNm {
  PointNm begin;  // centres of the first and the last voxel
  PointNm end;
};

BoxNm box_nm(const VoxelGrid& grid, const Box& box) {
  return {grid.to_nm(box.begin), grid.to_nm(box.end - Index3{1, 1, 1})};
}

Json numbers(const PointNm& a, const PointNm& b) { return Json::array({a.z, a.y, a.x, b.z, b.y, b.x}); }
Json numbers(const Index3& a, const Index3& b) { return Json::array({a.z, a.y, a.x, b.z, b.y, b.x}); }

Json trial_json(const ComparisonRecord& record, std::size_t i) {
  const BlindedTrials chance = record.options.chance();
  const AnsweredTrial& trial = record.answered[i];
  const BoxNm nm = box_nm(record.grid, trial.box);
  return {{"trial", i + 1},
          {"box_voxels", numbers(trial.box.begin, trial.box.end)},
          {"box_nm", numbers(nm.begin, nm.end)},
          {"left", letter_of(chance.left_of(i))},
          {"answer", answer_text(chance, i, trial.verdict)},
          {"counted_for", letter_of(chance.counted_for(i, trial.verdict))},
          {"probability", record.counts(i + 1).probability()},
          {"seconds", trial.seconds},
          {"shown", trial.shown}};
}

// A row of scores of one candidate, as evaluate writes it. What both were compared in takes the place of the
// crop, so that two comparisons of one candidate are two scores.
Json score_row(const ComparisonRecord& record, Contender contender) {
  const ComparisonOptions& options = record.options;
  const ComparisonCounts counts = record.counts();
  const bool is_a = contender == Contender::kA;
  const CandidateName name = candidate_name(is_a ? options.name_a : options.name_b);
  const Json& input = record.inputs[letter_of(contender)];
  Json row = {{"class", options.label}, {"region", "all"}};
  row["manual_preference"] = static_cast<double>(is_a ? counts.counted_a : counts.counted_b) /
                             static_cast<double>(counts.counted_a + counts.counted_b);
  row["num_answered"] = record.answered.size();
  row["num_trials"] = options.trials;
  row["kind"] = input["kind"];
  row["threshold"] = input["kind"] == "prediction" ? Json(options.threshold) : Json(nullptr);
  if (!options.dataset.empty()) row["dataset"] = options.dataset;
  row["crop"] = fmt::format("{} against {}", options.name_a, options.name_b);
  row["setup"] = name.setup;
  if (name.iteration >= 0) row["iteration"] = name.iteration;
  row["path"] = input["address"];
  row["raw_dataset"] = record.inputs["raw"]["address"];
  return row;
}

[[noreturn]] void fail(std::string_view where, std::string_view expected) {
  throw Error(ErrorKind::kCorruptData, fmt::format("{}: expected {}", where, expected));
}

const Json& object_field(const Json& json, std::string_view key, std::string_view where) {
  const Json& found = storage::field(json, key, where);
  if (!found.is_object()) fail(where, fmt::format("'{}' to be an object", key));
  return found;
}

double number_field(const Json& json, std::string_view key, double least, double most,
                    std::string_view where) {
  const Json& found = storage::field(json, key, where);
  if (!found.is_number() || !(found.get<double>() >= least && found.get<double>() <= most))
    fail(where, fmt::format("'{}' to be a number from {:g} to {:g}", key, least, most));
  return found.get<double>();
}

std::vector<double> three_numbers(const Json& json, std::string_view key, std::string_view where) {
  std::vector<double> values = storage::numbers_of(storage::field(json, key, where), where);
  if (values.size() != 3) fail(where, fmt::format("three numbers in '{}'", key));
  return values;
}

AnsweredTrial parse_trial(const Json& json, const BlindedTrials& chance, std::uint64_t index,
                          std::string_view where) {
  AnsweredTrial trial;
  const std::vector<std::int64_t> box =
      storage::integers_of(storage::field(json, "box_voxels", where), where);
  if (box.size() != 6) fail(where, "six numbers in 'box_voxels'");
  for (const std::int64_t value : box)
    if (value < -kFurthestVoxel || value > kFurthestVoxel) fail(where, "voxels of a volume in 'box_voxels'");
  trial.box = {{box[0], box[1], box[2]}, {box[3], box[4], box[5]}};
  if (trial.box.empty()) fail(where, "a box that is not empty in 'box_voxels'");
  const std::string answer = storage::string_field(json, "answer", where);
  if (answer == "a" || answer == "b") {
    const bool is_left = answer == letter_of(chance.left_of(index));
    trial.verdict = is_left ? Verdict::kLeft : Verdict::kRight;
  } else if (answer == to_string(Verdict::kBothGood) || answer == to_string(Verdict::kBothBad)) {
    trial.verdict = verdict_of(answer);
  } else {
    fail(where, "'answer' to be a, b, both_good or both_bad");
  }
  const auto require = [&](const char* key, Contender expected) {
    if (storage::string_field(json, key, where) != letter_of(expected))
      fail(where, fmt::format("'{}' to be {}, by seed, names and label", key, letter_of(expected)));
  };
  require("left", chance.left_of(index));
  require("counted_for", chance.counted_for(index, trial.verdict));
  trial.seconds = number_field(json, "seconds", 0, kMostSeconds, where);
  trial.shown = storage::string_field(json, "shown", where);
  if (trial.shown.size() != kHashDigits) fail(where, "a hash of 32 digits in 'shown'");
  return trial;
}

}  // namespace

void ComparisonOptions::bind(OptionTable& table) {
  constexpr double kAny = 1e300;
  constexpr double kMostEdge = 512;
  constexpr double kMostSeed = 9e15;
  table
      .add("mask_share", mask_share,
           {"of each box at least so much lies in the mask, where there is one", "", 0, 1, {}})
      .add("edge_voxels", edge_voxels,
           {"edge of the boxes, cubes in nm, along the axis with the smallest voxels",
            "voxels",
            1,
            kMostEdge,
            {}})
      .add("trials", trials, {"how many boxes are judged", "", 1, static_cast<double>(kMostTrials), {}})
      .add("kind_a", kind_a,
           {"what A is: labels, prediction, or auto, by its attributes",
            "",
            -kAny,
            kAny,
            {"auto", "labels", "prediction"}})
      .add("kind_b", kind_b, {"what B is, as for A", "", -kAny, kAny, {"auto", "labels", "prediction"}})
      .add("threshold", threshold, {"predictions are foreground from here on", "grey levels", 0, 255, {}})
      .add("seed", seed,
           {"of places, sides and the dealing of answers that prefer none", "", 0, kMostSeed, {}})
      .add("name_a", name_a,
           {"what A is called, such as setup03@650000: set-up and iteration for choose; empty: its path",
            "",
            -kAny,
            kAny,
            {}})
      .add("name_b", name_b, {"what B is called, as for A", "", -kAny, kAny, {}})
      .add("label", label, {"class that is judged, such as mito; must be given", "", -kAny, kAny, {}})
      .add("dataset", dataset, {"name of the cell, for the score", "", -kAny, kAny, {}});
}

BlindedTrials ComparisonOptions::chance() const {
  const Hash128 hash = hash_text(fmt::format("{} {} {} {} {}{}{}", seed, name_a.size(), name_b.size(),
                                             label.size(), name_a, name_b, label));
  return BlindedTrials(hash.high ^ hash.low);
}

std::size_t ComparisonRecord::num_told() const {
  return is_ended ? answered.size() : answered.size() / kAnswersAtOnce * kAnswersAtOnce;
}

ComparisonCounts ComparisonRecord::counts(std::optional<std::size_t> num_trials) const {
  const BlindedTrials chance = options.chance();
  ComparisonCounts counts;
  for (std::size_t i = 0; i < num_trials.value_or(answered.size()); ++i) {
    const Verdict verdict = answered[i].verdict;
    const bool is_for_a = chance.counted_for(i, verdict) == Contender::kA;
    ++(is_for_a ? counts.counted_a : counts.counted_b);
    if (verdict == Verdict::kBothGood)
      ++counts.both_good;
    else if (verdict == Verdict::kBothBad)
      ++counts.both_bad;
    else
      ++(is_for_a ? counts.preferred_a : counts.preferred_b);
  }
  return counts;
}

Json result_of(const ComparisonRecord& record) {
  const ComparisonCounts counts = record.counts();
  const auto candidate = [&](Contender contender, const std::string& name, std::int64_t preferred,
                             std::int64_t counted) {
    return Json({{"name", name},
                 {"address", record.inputs[letter_of(contender)]["address"]},
                 {"preferred", preferred},
                 {"counted", counted}});
  };
  Json result;
  result["a"] = candidate(Contender::kA, record.options.name_a, counts.preferred_a, counts.counted_a);
  result["b"] = candidate(Contender::kB, record.options.name_b, counts.preferred_b, counts.counted_b);
  result["num_answered"] = record.answered.size();
  result["num_trials"] = record.options.trials;
  result["both_good"] = counts.both_good;
  result["both_bad"] = counts.both_bad;
  result["probability"] = counts.probability();
  result["better"] = counts.counted_a == counts.counted_b  ? Json(nullptr)
                     : counts.counted_a > counts.counted_b ? Json("a")
                                                           : Json("b");
  return result;
}

Json ComparisonRecord::to_json() const {
  Json json;
  json["format"] = kFormat;
  json["options"] = Json::parse(options_to_json(options));
  json["inputs"] = inputs;
  json["voxel_size_nm"] = storage::to_json(grid.voxel_size_nm, storage::AxisOrder::kZyx);
  json["offset_nm"] = storage::to_json(grid.offset_nm, storage::AxisOrder::kZyx);
  json["is_ended"] = is_ended;
  if (is_ended) {
    json["result"] = result_of(*this);
    json["scores"] = Json::array({score_row(*this, Contender::kA), score_row(*this, Contender::kB)});
  }
  json["trials"] = Json::array();
  for (std::size_t i = 0; i < answered.size(); ++i) json["trials"].push_back(trial_json(*this, i));
  json["organon"] = {{"version", ORGANON_VERSION}, {"verb", "compare"}};
  return json;
}

std::string ComparisonRecord::to_csv() const {
  std::vector<ObjectId> ids;
  for (std::size_t i = 0; i < answered.size(); ++i) ids.push_back(i + 1);
  ObjectTable table(std::move(ids), "trial");
  std::vector<Json> trials;
  for (std::size_t i = 0; i < answered.size(); ++i) trials.push_back(trial_json(*this, i));
  const auto add = [&](const std::string& name, auto value_of) {
    std::vector<decltype(value_of(Json()))> values;
    for (const Json& trial : trials) values.push_back(value_of(trial));
    table.add_column(name, std::move(values));
  };
  constexpr const char* kEnds[] = {"begin_z", "begin_y", "begin_x", "end_z", "end_y", "end_x"};
  for (std::size_t i = 0; i < 6; ++i)
    add(fmt::format("box_{}_nm", kEnds[i]),
        [i](const Json& trial) { return trial["box_nm"][i].get<double>(); });
  for (std::size_t i = 0; i < 6; ++i)
    add(fmt::format("box_{}_voxels", kEnds[i]),
        [i](const Json& trial) { return trial["box_voxels"][i].get<std::int64_t>(); });
  for (const char* name : {"left", "answer", "counted_for"})
    add(name, [name](const Json& trial) { return trial[name].get<std::string>(); });
  for (const char* name : {"probability", "seconds"})
    add(name, [name](const Json& trial) { return trial[name].get<double>(); });
  return tables::to_csv(table);
}

ComparisonRecord ComparisonRecord::parse(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  if (!json.is_object() || storage::string_field(json, "format", where) != kFormat)
    fail(where, fmt::format("a comparison of format {}", kFormat));
  ComparisonRecord record;
  try {
    record.options = options_from_json<ComparisonOptions>(object_field(json, "options", where).dump());
  } catch (const Error& error) {
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}", where, error.message()));
  }
  if (record.options.label.empty()) fail(where, "the class that was judged in option 'label'");
  record.inputs = object_field(json, "inputs", where);
  for (const char* name : {"a", "b", "raw"}) {
    const Json& input = object_field(record.inputs, name, where);
    storage::string_field(input, "address", where);
    storage::string_field(input, "kind", where);
  }
  const std::vector<double> size = three_numbers(json, "voxel_size_nm", where);
  if (!(size[0] > 0 && size[1] > 0 && size[2] > 0)) fail(where, "numbers above 0 in 'voxel_size_nm'");
  record.grid.voxel_size_nm = {size[0], size[1], size[2]};
  const std::vector<double> offset = three_numbers(json, "offset_nm", where);
  record.grid.offset_nm = {offset[0], offset[1], offset[2]};
  const Json& is_ended = storage::field(json, "is_ended", where);
  if (!is_ended.is_boolean()) fail(where, "'is_ended' to be true or false");
  record.is_ended = is_ended.get<bool>();
  const Json& trials = storage::field(json, "trials", where);
  if (!trials.is_array() || trials.size() > static_cast<std::size_t>(record.options.trials))
    fail(where, fmt::format("a list of at most {} 'trials'", record.options.trials));
  const BlindedTrials chance = record.options.chance();
  for (const Json& trial : trials) {
    const std::size_t index = record.answered.size();
    record.answered.push_back(
        parse_trial(trial, chance, index, fmt::format("{}, trial {}", where, index + 1)));
  }
  if (record.is_ended && record.answered.empty()) fail(where, "an answer where the comparison has ended");
  return record;
}

CandidateName candidate_name(const std::string& text) {
  const std::size_t at = text.rfind('@');
  std::int64_t iteration = -1;
  if (at != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data() + at + 1, end, iteration);
    if (failure == std::errc() && stop == end && iteration >= 0) return {text.substr(0, at), iteration};
  }
  return {text, -1};
}

}  // namespace organon::stages
