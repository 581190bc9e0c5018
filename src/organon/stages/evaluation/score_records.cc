#include "organon/stages/evaluation/score_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/base/options.h"
#include "organon/storage/dataset.h"

namespace organon::stages {
namespace {

// So that sums of scores in millionths fit 64 bits.
constexpr double kLargestValue = 1e6;
constexpr std::size_t kMostRows = 8'000'000;
constexpr double kLargestIteration = 1e15;

constexpr auto kNone = MetricParameter::kNone;
constexpr auto kClip = MetricParameter::kClipDistance;
constexpr auto kTolerance = MetricParameter::kTolerance;

constexpr std::array<Metric, 29> kMetrics{{
    {"f1", true, kNone, "F1"},
    {"jaccard", true, kNone, "Jaccard index"},
    {"precision", true, kNone, "precision"},
    {"recall", true, kNone, "recall"},
    {"mean_false_distance_nm", false, kNone, "mean false distance (nm)"},
    {"mean_false_positive_distance_nm", false, kNone, "mean false positive distance (nm)"},
    {"mean_false_negative_distance_nm", false, kNone, "mean false negative distance (nm)"},
    {"hausdorff_nm", false, kNone, "Hausdorff distance (nm)"},
    {"mean_false_distance_clipped_nm", false, kClip, "mean false distance, clipped (nm)"},
    {"mean_false_positive_distance_clipped_nm", false, kClip, "mean false positive distance, clipped (nm)"},
    {"mean_false_negative_distance_clipped_nm", false, kClip, "mean false negative distance, clipped (nm)"},
    {"false_positive_rate", false, kNone, "false positive rate"},
    {"false_negative_rate", false, kNone, "false negative rate"},
    {"false_discovery_rate", false, kNone, "false discovery rate"},
    {"f1_tolerant", true, kTolerance, "F1 with tolerance"},
    {"precision_tolerant", true, kTolerance, "precision with tolerance"},
    {"recall_tolerant", true, kTolerance, "recall with tolerance"},
    {"false_positive_rate_tolerant", false, kTolerance, "false positive rate with tolerance"},
    {"false_negative_rate_tolerant", false, kTolerance, "false negative rate with tolerance"},
    {"variation_of_information_bits", false, kNone, "variation of information (bits)"},
    {"objects_f1", true, kNone, "F1 of objects"},
    {"objects_mean_iou", true, kNone, "mean intersection over union of matched objects"},
    {"objects_variation_of_information_bits", false, kNone, "variation of information of objects (bits)"},
    {"objects_split_bits", false, kNone, "splits of objects (bits)"},
    {"objects_merge_bits", false, kNone, "merges of objects (bits)"},
    {"objects_mean_hausdorff_nm", false, kNone, "Hausdorff distance of matched objects (nm)"},
    {"objects_hausdorff_score", true, kNone, "Hausdorff score of objects"},
    {"objects_combined_score", true, kNone, "combined score of objects"},
    {"manual_preference", true, kNone, "share of blinded trials in which it was preferred"},
}};

class RowReader {
 public:
  RowReader(const Json& row, std::string place) : row_(row), place_(std::move(place)) {
    if (!row.is_object()) fail("expected an object", row);
  }

  std::string text(const char* name) const {
    const auto at = row_.find(name);
    if (at == row_.end() || at->is_null()) return "";
    if (!at->is_string()) fail(fmt::format("column {}: expected a text", name), *at);
    return at->get<std::string>();
  }

  // Nothing where there is no such column; NaN where it is null.
  std::optional<double> number(const char* name, double most) const {
    const auto at = row_.find(name);
    if (at == row_.end()) return std::nullopt;
    if (at->is_null()) return ScoredRow::kNothing;
    const double value = at->is_number() ? at->get<double>() : -1;
    if (!(value >= 0 && value <= most))
      fail(fmt::format("column {}: expected a number from 0 to {:g}", name, most), *at);
    return value;
  }

  std::int64_t whole_number_or(const char* name, std::int64_t otherwise) const {
    const auto at = row_.find(name);
    if (at == row_.end() || at->is_null()) return otherwise;
    const double value = at->is_number() ? at->get<double>() : -2;
    if (!(value >= -1 && value <= kLargestIteration) || std::floor(value) != value)
      fail(fmt::format("column {}: expected a whole number", name), *at);
    return static_cast<std::int64_t>(value);
  }

  bool flag(const char* name) const {
    const auto at = row_.find(name);
    if (at == row_.end() || at->is_null() || *at == false || *at == 0) return false;
    if (*at != true && *at != 1) fail(fmt::format("column {}: expected true or false", name), *at);
    return true;
  }

  [[noreturn]] void fail(const std::string& expected, const Json& found) const {
    std::string text = found.dump();
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    throw Error(ErrorKind::kCorruptData, fmt::format("{}: {}, found {}", place_, expected, text));
  }

 private:
  const Json& row_;
  std::string place_;
};

// What rows are told apart by, whatever their metrics. NaN has a place of its own: -1 occurs nowhere else.
auto key_of(const ScoredRow& row) {
  return std::tuple<const std::string&, const std::string&, const std::string&, const std::string&,
                    const std::string&, const std::string&, std::int64_t, double, bool>(
      row.path, row.dataset, row.setup, row.label, row.crop, row.raw_dataset, row.iteration,
      std::isnan(row.threshold) ? -1 : row.threshold, row.refined);
}

std::string parameter_text(const ScoredRow& row, std::size_t metric) {
  const MetricParameter parameter = kMetrics[metric].parameter;
  const double value = row.parameter(metric);
  if (parameter == kNone || std::isnan(value)) return "{}";
  return fmt::format("{{\"{}\": {}}}", parameter == kClip ? "clip_distance_nm" : "tolerance_nm", value);
}

void refuse_duplicates(const std::vector<ScoredRow>& rows) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return key_of(rows[a]) < key_of(rows[b]); });
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && key_of(rows[order[end]]) == key_of(rows[order[begin]])) ++end;
    std::map<std::pair<std::size_t, std::string>, std::size_t> seen;  // metric and parameter -> row
    for (std::size_t i = begin; end - begin > 1 && i < end; ++i) {
      const ScoredRow& row = rows[order[i]];
      for (std::size_t metric = 0; metric < kMetrics.size(); ++metric) {
        if (!row.values[metric]) continue;
        const auto [at, is_new] = seen.try_emplace({metric, parameter_text(row, metric)}, order[i]);
        if (is_new) continue;
        throw Error(
            ErrorKind::kInvalidArgument,
            fmt::format("{} and {} both give {} of class '{}', set-up '{}', iteration {}, dataset '{}', "
                        "crop '{}'; remove one, or tell them apart by path or raw_dataset",
                        rows[at->second].file, row.file, kMetrics[metric].name, row.label, row.setup,
                        row.iteration, row.dataset, row.crop));
      }
    }
    begin = end;
  }
}

bool is_hidden(const std::filesystem::path& path) { return path.filename().string().starts_with('.'); }

void list_folder(const std::filesystem::path& folder, std::set<std::filesystem::path>& files) {
  using std::filesystem::recursive_directory_iterator;
  for (auto at = recursive_directory_iterator(folder); at != recursive_directory_iterator(); ++at) {
    if (is_hidden(at->path())) {
      at.disable_recursion_pending();
    } else if (at->is_regular_file() && !at->is_symlink() && at->path().extension() == ".json") {
      files.insert(at->path());
    }
  }
}

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

std::size_t metric_index(std::string_view name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    if (kMetrics[i].name == name) return i;
    names.emplace_back(kMetrics[i].name);
  }
  const std::string nearest = nearest_word(name, names);
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("'{}' is no metric; {}", name,
                          nearest.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                          : fmt::format("did you mean '{}'?", nearest)));
}

double ScoredRow::parameter(std::size_t metric) const {
  switch (kMetrics[metric].parameter) {
    case MetricParameter::kClipDistance:
      return clip_distance_nm;
    case MetricParameter::kTolerance:
      return tolerance_nm;
    case MetricParameter::kNone:
      break;
  }
  return kNothing;
}

std::optional<std::vector<ScoredRow>> parse_scores(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  if (!json.is_object() || !json.contains("scores") || !json["scores"].is_array()) return std::nullopt;
  std::vector<ScoredRow> rows;
  rows.reserve(json["scores"].size());
  for (const Json& object : json["scores"]) {
    const RowReader reader(object, fmt::format("{}, row {} of scores", where, rows.size() + 1));
    if (!object.contains("class") || !object["class"].is_string())
      reader.fail("column class: expected a text", object);
    ScoredRow& row = rows.emplace_back();
    row.file = where;
    row.label = reader.text("class");
    row.path = reader.text("path");
    row.dataset = reader.text("dataset");
    row.setup = reader.text("setup");
    row.family = reader.text("family");
    row.crop = reader.text("crop");
    if (const std::string region = reader.text("region"); row.crop.empty() && region != "all")
      row.crop = region;
    row.raw_dataset = reader.text("raw_dataset");
    row.iteration = reader.whole_number_or("iteration", -1);
    row.threshold = reader.number("threshold", kLargestValue).value_or(ScoredRow::kNothing);
    row.raw_voxel_size_nm = reader.number("raw_voxel_size_nm", kLargestValue).value_or(0);
    if (std::isnan(row.raw_voxel_size_nm)) row.raw_voxel_size_nm = 0;
    row.clip_distance_nm = reader.number("clip_distance_nm", kLargestValue).value_or(ScoredRow::kNothing);
    row.tolerance_nm = reader.number("tolerance_nm", kLargestValue).value_or(ScoredRow::kNothing);
    row.refined = reader.flag("refined");
    row.values.reserve(kMetrics.size());
    for (const Metric& metric : kMetrics)
      row.values.push_back(reader.number(metric.name.data(), kLargestValue));
  }
  return rows;
}

std::vector<std::filesystem::path> list_score_files(const std::vector<std::string>& inputs) {
  std::set<std::filesystem::path> files;
  for (const std::string& input : inputs) {
    const std::filesystem::path path = storage::parse_address(input).path;
    if (std::filesystem::is_directory(path)) {
      list_folder(path, files);
    } else if (std::filesystem::exists(path)) {
      files.insert(path);
    } else {
      throw Error(ErrorKind::kNotFound, fmt::format("{}: no such file or folder of scores", input));
    }
  }
  return {files.begin(), files.end()};
}

GatheredScores gather_scores(const std::vector<std::string>& inputs) {
  std::set<std::filesystem::path> named;
  for (const std::string& input : inputs) named.insert(storage::parse_address(input).path);
  GatheredScores gathered;
  for (const std::filesystem::path& file : list_score_files(inputs)) {
    std::optional<std::vector<ScoredRow>> rows;
    const std::string text = read_text(file);
    try {
      rows = parse_scores(text, file.string());
    } catch (const Error&) {
      // Of a file that was found, not named, what is no JSON at all is no score file; a row that cannot be
      // understood is an error wherever it stands.
      if (named.contains(file) || text.find("\"scores\"") != std::string::npos) throw;
    }
    if (!rows) {
      if (named.contains(file))
        throw Error(ErrorKind::kCorruptData,
                    fmt::format("{}: expected an object with a list \"scores\"", file.string()));
      gathered.skipped.push_back(file.string());
      continue;
    }
    ++gathered.num_files;
    if (gathered.rows.size() + rows->size() > kMostRows) {
      throw Error(ErrorKind::kResourceExhausted,
                  fmt::format("{}: more than {} rows of scores", file.string(), kMostRows));
    }
    std::move(rows->begin(), rows->end(), std::back_inserter(gathered.rows));
  }
  if (gathered.rows.empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: no rows of scores in {} files that hold scores, {} others",
                            fmt::join(inputs, ", "), gathered.num_files, gathered.skipped.size()));
  }
  refuse_duplicates(gathered.rows);
  return gathered;
}

ObjectTable records_of(const std::vector<ScoredRow>& rows) {
  std::size_t count = 0;
  for (const ScoredRow& row : rows)
    count += static_cast<std::size_t>(std::count_if(row.values.begin(), row.values.end(),
                                                    [](const auto& value) { return value.has_value(); }));
  std::vector<ObjectId> ids(count);
  std::iota(ids.begin(), ids.end(), ObjectId{1});
  ObjectTable table(std::move(ids), "record");
  const auto add = [&](const char* name, auto value_of) {
    std::vector<decltype(value_of(rows[0], std::size_t{0}))> values;
    values.reserve(count);
    for (const ScoredRow& row : rows)
      for (std::size_t metric = 0; metric < kMetrics.size(); ++metric)
        if (row.values[metric]) values.push_back(value_of(row, metric));
    table.add_column(name, std::move(values));
  };
  using Row = const ScoredRow&;
  add("path", [](Row row, std::size_t) { return row.path; });
  add("dataset", [](Row row, std::size_t) { return row.dataset; });
  add("setup", [](Row row, std::size_t) { return row.setup; });
  add("iteration", [](Row row, std::size_t) { return row.iteration; });
  add("label", [](Row row, std::size_t) { return row.label; });
  add("crop", [](Row row, std::size_t) { return row.crop; });
  add("threshold", [](Row row, std::size_t) { return row.threshold; });
  add("metric", [](Row, std::size_t metric) { return std::string(kMetrics[metric].name); });
  add("metric_params", [](Row row, std::size_t metric) { return parameter_text(row, metric); });
  add("value", [](Row row, std::size_t metric) { return *row.values[metric]; });
  add("raw_dataset", [](Row row, std::size_t) { return row.raw_dataset; });
  add("refined", [](Row row, std::size_t) { return static_cast<std::int64_t>(row.refined); });
  return table;
}

}  // namespace organon::stages
