#include "organon/stages/ingest/mask_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/json.h"
#include "organon/storage/json_fields.h"
#include "organon/voxel/cell_texture.h"

namespace organon::stages {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string how(const MaskReport& report) {
  if (report.decided_by == "option") return "as given";
  if (report.modes)
    return fmt::format("in the valley between resin at {:.3g} and sample at {:.3g}, {:.0f} % deep",
                       voxel::texture_sd(static_cast<std::uint16_t>(report.modes->low_peak)),
                       voxel::texture_sd(static_cast<std::uint16_t>(report.modes->high_peak)),
                       100 * report.modes->valley_depth);
  return "";
}

}  // namespace

std::string mask_report_text(const MaskReport& report) {
  const PointNm first = report.grid.to_nm(report.domain.begin);
  const PointNm last = report.grid.to_nm(report.domain.end - Index3{1, 1, 1});
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<22}  {}\n", name, value);
  };
  const auto count = [&](const char* name, std::int64_t voxels) {
    line(name, fmt::format("{:>12}  {:5.1f} %", voxels, share(voxels, report.voxels)));
  };
  line("looked at", fmt::format("{}, {} nm", report.raw, to_string(report.raw_size_nm)));
  line("mask voxels", fmt::format("{} nm, centres from {} to {}", to_string(report.grid.voxel_size_nm),
                                  to_string(first), to_string(last)));
  if (report.decided_by == "nothing") {
    line("threshold", "none");
  } else {
    line("threshold",
         fmt::format("{:.3g} grey values of texture, {}", voxel::texture_sd(report.threshold), how(report)));
  }
  count("voxels", report.voxels);
  count("filled up, no image", report.filled_up);
  count("textured", report.textured);
  count("kept, holes filled", report.kept);
  count("with margin", report.with_margin);
  count("in the mask", report.masked);
  line("pieces kept", std::to_string(report.num_pieces));
  line("polygons applied", std::to_string(report.num_polygons));
  if (report.decided_by == "nothing") {
    text +=
        "note: the texture is of one kind, without a valley between resin and sample: all that was imaged "
        "counts as sample. Where there is resin, give a threshold (see the histogram) or polygons.\n";
  }
  if (report.masked == 0) text += "note: the mask is empty.\n";
  return text;
}

std::string mask_report_json(const MaskReport& report) {
  const auto zyx = storage::AxisOrder::kZyx;
  Json textures = Json::array();
  for (std::size_t code = voxel::kFirstTexture; code < report.textures.size(); ++code) {
    if (report.textures[code] == 0) continue;
    textures.push_back({voxel::texture_sd(static_cast<std::uint16_t>(code)), report.textures[code]});
  }
  Json json = {{"raw", report.raw},
               {"raw_voxel_size_nm", storage::to_json(report.raw_size_nm, zyx)},
               {"voxel_size_nm", storage::to_json(report.grid.voxel_size_nm, zyx)},
               {"offset_nm", storage::to_json(report.grid.offset_nm, zyx)},
               {"decided_by", report.decided_by}};
  json["threshold"] =
      report.decided_by == "nothing" ? Json(nullptr) : Json(voxel::texture_sd(report.threshold));
  json["voxels"] = {
      {"all", report.voxels}, {"filled_up", report.filled_up},     {"textured", report.textured},
      {"kept", report.kept},  {"with_margin", report.with_margin}, {"mask", report.masked}};
  json["pieces"] = report.num_pieces;
  json["polygons"] = report.num_polygons;
  json["textures"] = textures;
  json["axis_order"] = "zyx";
  return to_text(json);
}

}  // namespace organon::stages
