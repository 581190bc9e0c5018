#include "organon/app/network_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "organon/app/terminal_progress.h"
#include "organon/base/error.h"
#include "organon/base/files.h"

namespace organon::app {
namespace {

constexpr std::int64_t kDefaultClasses = 14;  // of the paper's largest set-up
constexpr std::size_t kCloseRows = 6;         // sizes of input that are shown without a gap
constexpr double kGrowth = 1.25;              // between those that follow
constexpr std::int64_t kBatch = 2;

bool is_preset(const std::string& name) {
  const auto& names = nn::network_preset_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Training writes it into its folder; checkpoints lie one folder below.
Json training_beside(const std::filesystem::path& file) {
  for (const auto& folder : {file.parent_path(), file.parent_path().parent_path()}) {
    const auto path = folder / "training.json";
    if (std::filesystem::exists(path)) return parse_json(read_text(path), path.string());
  }
  return {};
}

void read_file(NetworkReport& report) {
  std::filesystem::path path = report.name;
  if (std::filesystem::is_directory(path)) path /= "network.organon";
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: expected a network's file or folder, or a preset ({}); found nothing",
                            report.name, fmt::join(nn::network_preset_names(), ", ")));
  }
  const nn::NetworkFile file = nn::decode_network_header(read_text(path), path.string());
  report.options = file.info.options;
  report.classes = file.info.classes;
  report.voxel_size_nm = file.info.voxel_size_nm;
  report.boundary_levels = file.info.boundary_levels;
  report.step = file.step;
  report.training = training_beside(path);
}

void change(nn::NetworkOptions& options, const std::vector<std::string>& settings) {
  OptionTable table;
  options.bind(table);
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      throw Error(ErrorKind::kInvalidArgument, fmt::format("--set {}: expected key=value", setting));
    }
    table.set(setting.substr(0, equals), setting.substr(equals + 1));
  }
  options.check();
}

NetworkReport::Row row_of(const NetworkReport& report, const nn::Tile& tile) {
  const nn::NetworkOptions& options = report.options;
  const std::int64_t classes = report.num_classes;
  NetworkReport::Row row;
  row.tile = tile;
  row.output = nn::output_shape(options, tile.input);
  row.prediction_bytes = nn::prediction_bytes(options, classes, tile.input);
  row.training_bytes = nn::training_bytes(options, classes, tile.input, kBatch, 1);
  row.operations_per_voxel =
      nn::forward_operations(options, classes, tile.input) / static_cast<double>(tile.shape.product());
  const auto finer = static_cast<double>(Shape3::cube(options.output_scale).product());
  row.overhead = row.operations_per_voxel * finer / nn::operations_per_voxel(options, classes);
  return row;
}

// The smallest sizes, then some on the way to the largest that fits.
void add_rows(NetworkReport& report, std::int64_t halo) {
  const nn::NetworkOptions& options = report.options;
  report.largest = nn::largest_tile(options, report.num_classes, report.memory_bytes, halo);
  Shape3 input = nn::smallest_input(options, Shape3::cube(1));
  if (input.smallest() == 0) return;
  constexpr std::int64_t kMostTried = 1000;
  double wanted = 0;
  for (std::int64_t i = 0; i < kMostTried; ++i, input = input + report.multiple) {
    if (report.largest ? input.largest() >= report.largest->input.largest()
                       : report.rows.size() == kCloseRows)
      break;
    const auto tile = nn::tile_of(options, input, halo);
    const auto edge = static_cast<double>(input.largest());
    if (!tile || (report.rows.size() >= kCloseRows && edge < wanted)) continue;
    report.rows.push_back(row_of(report, *tile));
    wanted = edge * kGrowth;
  }
  if (report.largest) report.rows.push_back(row_of(report, *report.largest));
}

std::string shape_text(const Shape3& shape) {
  return shape == Shape3::cube(shape.z) ? fmt::format("{}^3", shape.z) : to_string(shape);
}

std::string radius_text(const NetworkReport& report) {
  const Shape3& radius = report.receptive_radius;
  std::string text = fmt::format("{} input voxels on each side", to_string(radius));
  if (report.voxel_size_nm.smallest() > 0) {
    const SizeNm nm{static_cast<double>(radius.z) * report.voxel_size_nm.z,
                    static_cast<double>(radius.y) * report.voxel_size_nm.y,
                    static_cast<double>(radius.x) * report.voxel_size_nm.x};
    text += fmt::format(" ({} nm)", to_string(nm));
  }
  const std::string& normalization = report.options.normalization;
  if (normalization == "group" || normalization == "instance")
    text += fmt::format("; {} normalization looks at the whole input", normalization);
  return text;
}

Json shape_json(const Shape3& shape) { return Json::array({shape.z, shape.y, shape.x}); }

Json size_json(const SizeNm& size) { return {size.z, size.y, size.x}; }

std::string nm_text(const SizeNm& size) {
  if (size == SizeNm::cube(size.z)) return fmt::format("{:g}", size.z);
  return fmt::format("{:g} x {:g} x {:g}", size.z, size.y, size.x);
}

SizeNm output_voxel_size_nm(const NetworkReport& report) {
  return report.voxel_size_nm * (1 / static_cast<double>(report.options.output_scale));
}

Json tile_json(const nn::Tile& tile) {
  return {
      {"input", shape_json(tile.input)}, {"tile", shape_json(tile.shape)}, {"halo", shape_json(tile.halo)}};
}

}  // namespace

NetworkReport report_on(const NetworkQuestion& question) {
  NetworkReport report;
  report.name = question.network;
  if (is_preset(question.network)) {
    report.options = nn::network_preset(question.network);
    change(report.options, question.settings);
  } else {
    if (!question.settings.empty()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("--set changes a preset ({}); {} is a file, whose weights have their options",
                              fmt::join(nn::network_preset_names(), ", "), question.network));
    }
    read_file(report);
  }
  report.num_classes = static_cast<std::int64_t>(report.classes.size());
  if (question.num_classes > 0) report.num_classes = question.num_classes;
  if (report.num_classes == 0) report.num_classes = kDefaultClasses;
  report.receptive_radius = nn::receptive_radius(report.options);
  report.multiple = nn::input_multiple(report.options);
  report.num_parameters = nn::num_parameters(report.options, report.num_classes);
  report.memory_bytes = question.memory_bytes;
  add_rows(report, question.halo);
  return report;
}

std::string to_text(const NetworkReport& report) {
  std::string text;
  const auto line = [&](const std::string& name, const std::string& value) {
    text += fmt::format("{:<19}{}\n", name, value);
  };
  const auto bytes = [](std::int64_t count) { return bytes_text(static_cast<double>(count)); };
  line("network", report.name);
  nn::NetworkOptions options = report.options;
  OptionTable table;
  options.bind(table);
  for (const OptionTable::Option& option : table.options())
    line("  " + option.name, table.value_text(option));
  if (report.classes.empty()) {
    line("classes", fmt::format("{}", report.num_classes));
  } else {
    line("classes", fmt::format("{}", fmt::join(report.classes, ", ")));
  }
  if (!report.boundary_levels.empty())
    line("boundary levels", fmt::format("{:.3f}", fmt::join(report.boundary_levels, ", ")));
  if (report.voxel_size_nm.smallest() > 0) {
    line("voxel size", fmt::format("{} nm in, {} nm out", nm_text(report.voxel_size_nm),
                                   nm_text(output_voxel_size_nm(report))));
  }
  if (report.step) line("trained", fmt::format("{} steps", *report.step));
  if (report.training.is_object() && report.training.contains("options")) {
    const Json& how = report.training["options"];
    for (const char* name : {"steps", "batch", "patch", "learning_rate", "foreground_share", "seed"})
      if (how.contains(name)) line(fmt::format("  {}", name), how[name].dump());
    const auto waited = report.training.find("waited_share");
    if (waited != report.training.end() && waited->is_number())
      line("  waited", fmt::format("{:.1f} % of its time for samples", 100 * waited->get<double>()));
  }
  line("sees", radius_text(report));
  line("parameters", fmt::format("{} ({})", report.num_parameters, bytes(4 * report.num_parameters)));
  const auto edge_text = [](const Shape3& shape) {
    return shape == Shape3::cube(shape.z) ? fmt::format("{}", shape.z) : to_string(shape);
  };
  line("inputs that fit",
       fmt::format("{} + {} k per axis", edge_text(nn::smallest_input(report.options, Shape3::cube(1))),
                   edge_text(report.multiple)));
  text += fmt::format("\n{:<16}{:<16}{:<16}{:>12}{:>12}{:>14}{:>10}\n", "input", "output", "tile", "predict",
                      "train", "Mop per voxel", "overhead");
  for (const NetworkReport::Row& row : report.rows) {
    text += fmt::format("{:<16}{:<16}{:<16}{:>12}{:>12}{:>14.3f}{:>10.2f}\n", shape_text(row.tile.input),
                        shape_text(row.output), shape_text(row.tile.shape), bytes(row.prediction_bytes),
                        bytes(row.training_bytes), row.operations_per_voxel * 1e-6, row.overhead);
  }
  if (report.largest) {
    text += fmt::format(
        "\nThe largest tile for {}: organon predict --tile {} (--dry-run tells what a volume takes)",
        bytes(report.memory_bytes), report.largest->shape.smallest());
  } else {
    text += fmt::format("\nNo tile fits {}", bytes(report.memory_bytes));
  }
  return text;
}

std::string to_json(const NetworkReport& report) {
  Json rows = Json::array();
  for (const NetworkReport::Row& row : report.rows) {
    Json tile = tile_json(row.tile);
    tile["output"] = shape_json(row.output);
    tile["prediction_bytes"] = row.prediction_bytes;
    tile["training_bytes"] = row.training_bytes;
    tile["operations_per_voxel"] = row.operations_per_voxel;
    tile["overhead"] = row.overhead;
    rows.push_back(std::move(tile));
  }
  const bool has_size = report.voxel_size_nm.smallest() > 0;
  Json json = {{"network", report.name},
               {"options", parse_json(options_to_json(report.options), "network options")},
               {"num_classes", report.num_classes},
               {"classes", report.classes},
               {"boundary_levels", report.boundary_levels},
               {"voxel_size_nm", has_size ? size_json(report.voxel_size_nm) : Json()},
               {"output_voxel_size_nm", has_size ? size_json(output_voxel_size_nm(report)) : Json()},
               {"step", report.step ? Json(*report.step) : Json()},
               {"training", report.training},
               {"receptive_radius_voxels", shape_json(report.receptive_radius)},
               {"input_multiple", shape_json(report.multiple)},
               {"num_parameters", report.num_parameters},
               {"weight_bytes", 4 * report.num_parameters},
               {"memory_bytes", report.memory_bytes},
               {"inputs", rows},
               {"largest_tile", report.largest ? tile_json(*report.largest) : Json()}};
  if (has_size) {
    const Shape3& radius = report.receptive_radius;
    json["receptive_radius_nm"] = {static_cast<double>(radius.z) * report.voxel_size_nm.z,
                                   static_cast<double>(radius.y) * report.voxel_size_nm.y,
                                   static_cast<double>(radius.x) * report.voxel_size_nm.x};
  }
  return json.dump();
}

}  // namespace organon::app
