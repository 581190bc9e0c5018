#include "organon/stages/ingest/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/storage/fill_value.h"

namespace organon::stages {
namespace {

bool is_image_file(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".tif" || extension == ".tiff";
}

bool is_foreign_volume(const std::string& address) {
  std::error_code error;
  if (std::filesystem::is_regular_file(storage::volume_path(address), error))
    return storage::is_volume_file_name(address);
  if (!std::filesystem::is_directory(address, error)) return false;
  for (const char* metadata : {"attributes.json", ".zarray", ".zgroup", ".zattrs", "zarr.json", "info"}) {
    if (std::filesystem::exists(std::filesystem::path(address) / metadata)) return false;
  }
  std::filesystem::directory_iterator entries(address, error);
  return !error && std::any_of(begin(entries), end(entries),
                               [](const auto& entry) { return is_image_file(entry.path()); });
}

std::string format_of(const storage::Dataset& dataset) {
  const auto format = storage::parse_address(dataset.address()).format;
  if (format) return std::string(to_string(*format));
  if ((dataset.place() / "attributes.json").exists()) return "n5";
  if ((dataset.place() / ".zarray").exists()) return "zarr";
  if ((dataset.place() / "zarr.json").exists()) return "zarr3";
  return "precomputed";
}

void judge_values(DatasetReport& report) {
  report.has_ids = report.role == "labels" || (report.role.empty() && report.is_label_image) ||
                   (report.role.empty() && !is_floating(report.type) && size_of(report.type) >= 4);
  if (!report.has_ids && report.sample.histogram)
    report.contrast = estimate_contrast(*report.sample.histogram);
}

DatasetReport inspect_foreign(const std::string& address, std::int64_t max_voxels) {
  const auto volume = storage::open_volume(address);
  const storage::VolumeInfo& info = volume->info();
  DatasetReport report;
  report.address = address;
  report.format = info.format;
  report.shape = info.shape;
  report.type = info.type;
  report.num_chunks = report.stored_chunks = info.num_files;
  report.stored_bytes = info.file_bytes;
  const storage::KnownGrid known = storage::known_grid(info.stated, "");
  if (known.voxel_size_nm) {
    report.stated_grid = VoxelGrid{*known.voxel_size_nm, known.offset_nm.value_or(PointNm{})};
    report.stated_by = info.stated.source;
  } else {
    report.stated_by = known.missing;
  }
  report.sample = sample_values(*volume, max_voxels);
  judge_values(report);
  return report;
}

void read_attributes(const storage::Dataset& dataset, DatasetReport& report) {
  const Json attributes = dataset.attributes();
  if (attributes.contains("organon")) report.provenance_json = attributes["organon"].dump();
  if (attributes.contains("role") && attributes["role"].is_string()) report.role = attributes["role"];
  if (const auto contrast = storage::contrast_of(dataset)) {
    report.stated_contrast = ContrastLimits{contrast->low, contrast->high};
    // Other programs may use the name of organon's attribute for something else.
    report.is_contrast_by_group = !attributes.contains(storage::kContrastLimitsKey) ||
                                  !storage::contrast_window_of(attributes[storage::kContrastLimitsKey]);
  }
}

// What a group of OME-NGFF states. Nothing that is wrong there keeps the voxels from being told of.
void read_group(const std::string& address, DatasetReport& report) {
  try {
    report.axes = storage::axes_of(address);
    report.label_images = storage::label_images_of(address);
    const storage::GroupDisplay display = storage::read_group_display(address);
    report.is_label_image = display.is_label_image();
    if (!report.is_label_image) return;
    report.colors = storage::label_colors_of(display.image_label, address);
    report.image = storage::source_image_of(display.image_label);
  } catch (const Error& error) {
    report.display_damage = error.message();
  }
}

void count_stored_chunks(DatasetReport& report) {
  const ValueSample& sample = report.sample;
  report.are_stored_chunks_exact = sample.chunks_probed == report.num_chunks;
  const double found_fraction = static_cast<double>(sample.chunks_found) /
                                static_cast<double>(std::max<std::int64_t>(1, sample.chunks_probed));
  report.stored_chunks = report.are_stored_chunks_exact
                             ? sample.chunks_found
                             : std::llround(found_fraction * static_cast<double>(report.num_chunks));
  report.are_stored_bytes_exact = report.are_stored_chunks_exact && sample.chunks_read == sample.chunks_found;
  const double bytes_per_chunk = static_cast<double>(sample.file_bytes_read) /
                                 static_cast<double>(std::max<std::int64_t>(1, sample.chunks_read));
  report.stored_bytes = std::llround(bytes_per_chunk * static_cast<double>(report.stored_chunks));
}

std::string shape_text(const Shape3& shape) { return fmt::format("{} x {} x {}", shape.z, shape.y, shape.x); }

std::string size_text(const SizeNm& size) {
  return fmt::format("{:g} x {:g} x {:g} nm", size.z, size.y, size.x);
}

std::string extent_text(const Shape3& shape, const SizeNm& size) {
  const auto um = [](std::int64_t voxels, double nm) { return static_cast<double>(voxels) * nm / 1000; };
  return fmt::format("{:.4g} x {:.4g} x {:.4g} µm", um(shape.z, size.z), um(shape.y, size.y),
                     um(shape.x, size.x));
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} bytes", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

class Lines {
 public:
  void add(std::string_view name, const std::string& value) {
    text_ += fmt::format("{:<14}{}\n", name, value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void describe_storage(const DatasetReport& report, Lines& lines) {
  const double raw_bytes = static_cast<double>(report.shape.z) * static_cast<double>(report.shape.y) *
                           static_cast<double>(report.shape.x) * static_cast<double>(size_of(report.type));
  if (report.levels.empty()) {
    lines.add(
        "stored",
        fmt::format("{} file{}, {} ({} decoded)", report.stored_chunks, report.stored_chunks == 1 ? "" : "s",
                    bytes_text(static_cast<double>(report.stored_bytes)), bytes_text(raw_bytes)));
    return;
  }
  lines.add("chunks", fmt::format("{}, {}", shape_text(report.levels[0].chunk_shape), report.codec));
  const std::int64_t missing = report.num_chunks - report.stored_chunks;
  lines.add(
      "stored",
      fmt::format("{}{} of {} chunks, {}{} ({} decoded)", report.are_stored_chunks_exact ? "" : "about ",
                  report.stored_chunks, report.num_chunks, report.are_stored_bytes_exact ? "" : "about ",
                  bytes_text(static_cast<double>(report.stored_bytes)), bytes_text(raw_bytes)));
  const std::string fill = storage::fill_value_text(report.fill_value, report.type);
  if (missing > 0) lines.add("", fmt::format("{} missing chunks read as {}", missing, fill));
}

void describe_values(const DatasetReport& report, int width, Lines& lines) {
  const ValueSample& sample = report.sample;
  if (!sample.histogram) {
    const std::string fill = storage::fill_value_text(report.fill_value, report.type);
    lines.add("values", sample.num_voxels == 0 ? fmt::format("none stored: all {}", fill) : "not one number");
    return;
  }
  const std::string source = sample.is_whole ? ""
                                             : fmt::format(", of a sample of {:.3g} million voxels",
                                                           static_cast<double>(sample.num_voxels) / 1e6);
  if (report.has_ids) {
    lines.add("values",
              fmt::format("{:.17g} to {:.17g}; {}{} distinct ids{}", sample.min, sample.max,
                          sample.num_distinct >= 1'000'000 ? "more than " : "", sample.num_distinct, source));
    return;
  }
  lines.add("values",
            fmt::format("{:g} to {:g}, mean {:.4g}{}", sample.min, sample.max, sample.mean, source));
  // Whole values per column, so that integers make no comb.
  const auto& counts = sample.histogram->counts();
  const std::size_t first = sample.histogram->quantile_bin(0);
  const std::size_t last = sample.histogram->quantile_bin(1);
  const auto max_columns = static_cast<std::size_t>(std::clamp(width - 14, 16, 128));
  const std::size_t bins_per_column = (last - first) / max_columns + 1;
  std::vector<std::uint64_t> columns((last - first) / bins_per_column + 1);
  for (std::size_t bin = first; bin <= last; ++bin) columns[(bin - first) / bins_per_column] += counts[bin];
  for (const std::string& row : draw_histogram(columns, 5)) lines.add("", row);
  const std::string begin = fmt::format("{:g}", sample.min);
  const std::string end = fmt::format("{:g}", sample.max);
  const std::size_t used = begin.size() + end.size();
  lines.add("", begin + std::string(columns.size() > used ? columns.size() - used : 1, ' ') + end);
}

// Lists of others may be long.
constexpr std::size_t kMostNames = 50;

std::string names_text(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kMostNames);
  const std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return shown == names.size() ? text : fmt::format("{} and {} more", text, names.size() - shown);
}

void describe_group(const DatasetReport& report, Lines& lines) {
  if (!report.axes.empty()) lines.add("axes", fmt::format("{}", fmt::join(report.axes, ", ")));
  if (report.is_label_image) {
    std::vector<std::string> names;
    for (const storage::LabelColor& color : report.colors)
      if (!color.name.empty()) names.push_back(fmt::format("{} {}", color.value, color.name));
    lines.add("label image", report.image.empty()
                                 ? fmt::format("{} colours", report.colors.size())
                                 : fmt::format("of {}, {} colours", report.image, report.colors.size()));
    if (!names.empty()) lines.add("", names_text(names));
  }
  if (!report.label_images.empty()) lines.add("labels", names_text(report.label_images));
  if (!report.display_damage.empty()) lines.add("damaged", report.display_damage);
}

void describe_contrast(const DatasetReport& report, Lines& lines) {
  if (report.stated_contrast) {
    lines.add("contrast", fmt::format("{:g} to {:g}, as stated in its {}", report.stated_contrast->low,
                                      report.stated_contrast->high,
                                      report.is_contrast_by_group ? "group (omero)" : "attributes"));
  }
  if (!report.contrast) return;
  const ContrastEstimate& estimate = *report.contrast;
  lines.add(report.stated_contrast ? "" : "contrast",
            fmt::format("{:g} to {:g}, estimated (0.1 % and 99.9 % quantiles)", estimate.limits.low,
                        estimate.limits.high));
  const double padding = estimate.padding_low_fraction + estimate.padding_high_fraction;
  if (padding > 0)
    lines.add("", fmt::format("{:.1f} % of the voxels are constant padding, left out", 100 * padding));
  if (estimate.looks_inverted) {
    lines.add("",
              fmt::format("looks inverted: the bright tail is {:.1f} times as long as the dark one; where",
                          estimate.tail_ratio));
    lines.add("", "membranes are bright, import with --invert true");
  }
}

void describe_origin(const DatasetReport& report, Lines& lines) {
  if (report.provenance_json.empty()) return;
  const Json origin = parse_json(report.provenance_json, report.address);
  const auto text = [&](const char* key) {
    return origin.is_object() && origin.contains(key) ? origin[key] : Json("");
  };
  const auto word = [&](const char* key) {
    return text(key).is_string() ? text(key).get<std::string>() : text(key).dump();
  };
  lines.add("made by", fmt::format("organon {} {}{}", word("version"), word("verb"),
                                   word("state") == "incomplete" ? ", not finished" : ""));
  if (!word("options").empty()) lines.add("", "options " + word("options"));
}

std::string array_text(const storage::ConsolidatedArray& array) {
  std::string text = array.path;
  if (!array.shape.empty()) text += fmt::format(": {}", fmt::join(array.shape, " x "));
  if (!array.type.empty()) text += ", " + array.type;
  return text;
}

std::string text_of_arrays(const DatasetReport& report) {
  Lines lines;
  lines.add("group", report.address);
  lines.add("format", report.format + ", no pyramid");
  if (!report.label_images.empty()) lines.add("labels", names_text(report.label_images));
  constexpr std::size_t kMostArrays = 200;
  for (std::size_t i = 0; i < std::min(report.arrays_below.size(), kMostArrays); ++i)
    lines.add(i == 0 ? "arrays" : "", array_text(report.arrays_below[i]));
  if (report.arrays_below.size() > kMostArrays)
    lines.add("", fmt::format("and {} more", report.arrays_below.size() - kMostArrays));
  return lines.text();
}

std::string json_of_arrays(const DatasetReport& report) {
  Json json = {{"address", report.address}, {"format", report.format}, {"arrays", Json::array()}};
  for (const storage::ConsolidatedArray& array : report.arrays_below)
    json["arrays"].push_back({{"path", array.path}, {"shape", array.shape}, {"data_type", array.type}});
  if (!report.label_images.empty()) json["label_images"] = report.label_images;
  return organon::to_text(json);
}

// The pyramid; or the arrays below, where there is none.
storage::Multiscale open_or_list(const std::string& address, DatasetReport& report) {
  try {
    return storage::open_multiscale(address);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    report.arrays_below = storage::arrays_below(address);
    if (report.arrays_below.empty()) throw;
    return {};
  }
}

Json group_json(const DatasetReport& report) {
  Json json = Json::object();
  if (!report.axes.empty()) json["axes"] = report.axes;
  if (!report.label_images.empty()) json["label_images"] = report.label_images;
  if (!report.display_damage.empty()) json["display_damage"] = report.display_damage;
  if (!report.is_label_image) return json;
  json["label_image"] = {{"source", report.image}, {"colors", Json::array()}};
  for (const storage::LabelColor& color : report.colors) {
    Json entry = {{"value", color.value}, {"rgba", color.rgba}};
    if (!color.name.empty()) entry["name"] = color.name;
    json["label_image"]["colors"].push_back(entry);
  }
  return json;
}

}  // namespace

DatasetReport inspect(const std::string& address, std::int64_t max_voxels) {
  if (is_foreign_volume(address)) return inspect_foreign(address, max_voxels);
  DatasetReport report;
  report.address = address;
  const storage::Multiscale pyramid = open_or_list(address, report);
  read_group(address, report);
  if (pyramid.levels.empty()) {
    report.format = "zarr";
    return report;
  }
  const storage::Dataset& finest = *pyramid.levels.at(0);
  report.num_channels = finest.spec().channels.count();
  // The first stands for all.
  const auto first = finest.spec().channels.in_stack() == 1 ? pyramid.levels.at(0)
                                                            : storage::open_dataset(finest.address() + "#0");
  report.channel = first->spec().channels.chosen.value_or(0);
  report.format = format_of(finest);
  report.shape = finest.spec().shape;
  report.type = finest.spec().data_type;
  report.codec = to_string(finest.spec().codec);
  report.fill_value = finest.spec().fill_value;
  for (const auto& level : pyramid.levels) {
    report.levels.push_back(
        {level->address(), level->spec().shape, level->spec().chunk_shape, level->spec().grid});
  }
  report.num_chunks = finest.chunk_grid().count();
  read_attributes(finest, report);
  report.sample = sample_values(*first, max_voxels);
  count_stored_chunks(report);
  judge_values(report);
  return report;
}

std::vector<std::string> draw_histogram(const std::vector<std::uint64_t>& counts, int height) {
  constexpr std::array<const char*, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::uint64_t fullest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::vector<std::string> rows(static_cast<std::size_t>(height));
  for (const std::uint64_t count : counts) {
    const double eighths =
        fullest == 0 ? 0 : static_cast<double>(count) / static_cast<double>(fullest) * 8 * height;
    const int filled = count == 0 ? 0 : std::max(1, static_cast<int>(std::lround(eighths)));
    for (int row = 0; row < height; ++row) {
      const int above = filled - 8 * (height - 1 - row);
      rows[static_cast<std::size_t>(row)] += kBlocks[static_cast<std::size_t>(std::clamp(above, 0, 8))];
    }
  }
  return rows;
}

std::string to_text(const DatasetReport& report, int width) {
  if (!report.arrays_below.empty()) return text_of_arrays(report);
  Lines lines;
  lines.add("dataset", report.address);
  lines.add("format", report.role.empty() ? report.format : report.format + ", " + report.role);
  lines.add("shape",
            fmt::format("{} voxels (z, y, x) of {}", shape_text(report.shape), to_string(report.type)));
  if (report.num_channels > 1) {
    lines.add("channels", fmt::format("{}, as #0 to #{} behind the address; below, those of #{}",
                                      report.num_channels, report.num_channels - 1, report.channel));
  }
  if (report.levels.empty() && !report.stated_grid) {
    lines.add("voxel size", "not known: it " + report.stated_by);
  } else {
    const VoxelGrid& grid = report.levels.empty() ? *report.stated_grid : report.levels[0].grid;
    lines.add("voxel size", size_text(grid.voxel_size_nm) +
                                (report.levels.empty() ? ", by " + report.stated_by : std::string()));
    lines.add("extent", extent_text(report.shape, grid.voxel_size_nm));
    if (grid.offset_nm != PointNm{}) {
      lines.add("offset", fmt::format("{:g}, {:g}, {:g} nm (centre of the first voxel)", grid.offset_nm.z,
                                      grid.offset_nm.y, grid.offset_nm.x));
    }
  }
  describe_storage(report, lines);
  if (report.levels.size() > 1) {
    for (std::size_t i = 0; i < report.levels.size(); ++i) {
      const LevelReport& level = report.levels[i];
      lines.add(i == 0 ? "levels" : "",
                fmt::format("{}: {}, {}", std::filesystem::path(level.address).filename().string(),
                            shape_text(level.shape), size_text(level.grid.voxel_size_nm)));
    }
  }
  describe_group(report, lines);
  describe_values(report, width, lines);
  describe_contrast(report, lines);
  for (const std::string& message : report.sample.damage) lines.add("damaged", message);
  describe_origin(report, lines);
  return lines.text();
}

std::string to_json(const DatasetReport& report) {
  if (!report.arrays_below.empty()) return json_of_arrays(report);
  const auto three = [](const auto& v) { return Json::array({v.z, v.y, v.x}); };
  const ValueSample& sample = report.sample;
  Json json = {{"address", report.address},
               {"format", report.format},
               {"shape", three(report.shape)},
               {"data_type", to_string(report.type)}};
  if (!report.levels.empty()) {
    json["codec"] = report.codec;
    json["fill_value"] = storage::fill_value_json(report.fill_value, report.type);
    for (const LevelReport& level : report.levels) {
      json["levels"].push_back({{"address", level.address},
                                {"shape", three(level.shape)},
                                {"chunk_shape", three(level.chunk_shape)},
                                {"voxel_size_nm", three(level.grid.voxel_size_nm)},
                                {"offset_nm", three(level.grid.offset_nm)}});
    }
  }
  json["chunks"] = {{"count", report.num_chunks},
                    {"stored", report.stored_chunks},
                    {"missing", report.num_chunks - report.stored_chunks},
                    {"is_exact", report.are_stored_chunks_exact},
                    {"stored_bytes", report.stored_bytes},
                    {"are_bytes_exact", report.are_stored_bytes_exact}};
  if (report.stated_grid) {
    json["voxel_size_nm"] = three(report.stated_grid->voxel_size_nm);
    json["offset_nm"] = three(report.stated_grid->offset_nm);
  }
  Json values = {{"sampled_voxels", sample.num_voxels}, {"is_whole", sample.is_whole}};
  if (sample.histogram) {
    values["min"] = sample.min;
    values["max"] = sample.max;
    values["mean"] = sample.mean;
    if (report.has_ids) {
      values["distinct_ids"] = sample.num_distinct;
    } else {
      constexpr std::size_t kShownBins = 256;
      const std::size_t joined = (sample.histogram->counts().size() + kShownBins - 1) / kShownBins;
      values["histogram"] = {{"low", sample.histogram->low()},
                             {"bin_width", sample.histogram->bin_width() * static_cast<double>(joined)},
                             {"counts", sample.histogram->rebinned(kShownBins)}};
    }
  }
  json["values"] = values;
  if (report.contrast) {
    json["contrast"] = {{"estimated_limits", {report.contrast->limits.low, report.contrast->limits.high}},
                        {"padding_low_fraction", report.contrast->padding_low_fraction},
                        {"padding_high_fraction", report.contrast->padding_high_fraction},
                        {"looks_inverted", report.contrast->looks_inverted}};
  }
  if (report.stated_contrast)
    json["contrast"]["stated_limits"] = {report.stated_contrast->low, report.stated_contrast->high};
  json.update(group_json(report));
  json["damage"] = sample.damage;
  if (!report.role.empty()) json["role"] = report.role;
  if (!report.provenance_json.empty()) json["organon"] = parse_json(report.provenance_json, report.address);
  return organon::to_text(json);
}

}  // namespace organon::stages
