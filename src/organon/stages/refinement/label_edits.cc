#include "organon/stages/refinement/label_edits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "organon/base/error.h"
#include "organon/base/json.h"
#include "organon/base/options.h"

namespace organon::stages {
namespace {

constexpr std::size_t kMaxObjects = 100'000;
constexpr std::size_t kMaxPointsOfSplit = 1000;  // every voxel of the object is compared with each
constexpr double kMaxNm = 1e12;

const std::vector<std::string> kKeys = {"action", "ids", "points_nm", "note"};

[[noreturn]] void refuse(const std::string& place, const std::string& message) {
  throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", place, message));
}

LabelEdit::Action action_of(const Json& entry, const std::string& place) {
  const auto found = entry.find("action");
  if (found != entry.end() && found->is_string()) {
    if (*found == "keep") return LabelEdit::Action::kKeep;
    if (*found == "drop") return LabelEdit::Action::kDrop;
    if (*found == "merge") return LabelEdit::Action::kMerge;
    if (*found == "split") return LabelEdit::Action::kSplit;
  }
  refuse(place + ".action", "expected \"keep\", \"drop\", \"merge\" or \"split\"");
}

ObjectId id_of(const Json& value, const std::string& place) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0) refuse(place, "expected an id above 0");
  return value.get<ObjectId>();
}

PointNm point_of(const Json& value, const std::string& place) {
  std::vector<double> nm;
  if (value.is_array() && value.size() == 3) {
    for (const Json& one : value)
      if (one.is_number() && std::abs(one.get<double>()) <= kMaxNm) nm.push_back(one.get<double>());
  }
  if (nm.size() != 3) refuse(place, fmt::format("expected [z, y, x] in nm, up to {:g}", kMaxNm));
  return {nm[0], nm[1], nm[2]};
}

LabelEdit read_edit(const Json& entry, const std::string& place) {
  if (!entry.is_object()) refuse(place, "expected an object with action and ids or points_nm");
  for (const auto& [key, value] : entry.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    const std::string nearest = nearest_word(key, kKeys);
    refuse(place, nearest.empty() ? fmt::format("unknown key '{}'", key)
                                  : fmt::format("unknown key '{}'; did you mean '{}'?", key, nearest));
  }
  if (entry.contains("note") && !entry["note"].is_string()) refuse(place + ".note", "expected text");
  LabelEdit edit;
  edit.action = action_of(entry, place);
  for (const char* key : {"ids", "points_nm"}) {
    if (!entry.contains(key)) continue;
    const Json& list = entry[key];
    const std::string list_place = fmt::format("{}.{}", place, key);
    if (!list.is_array() || list.size() > kMaxObjects) refuse(list_place, "expected a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string item_place = fmt::format("{}[{}]", list_place, i);
      if (key[0] == 'i')
        edit.objects.push_back({id_of(list[i], item_place), {}});
      else
        edit.objects.push_back({0, point_of(list[i], item_place)});
    }
  }
  const bool is_split = edit.action == LabelEdit::Action::kSplit;
  if (is_split && entry.contains("ids")) refuse(place, "to split an object, give points_nm in it, no ids");
  if (is_split && edit.objects.size() > kMaxPointsOfSplit)
    refuse(place, fmt::format("at most {} points split an object", kMaxPointsOfSplit));
  const std::size_t least = is_split || edit.action == LabelEdit::Action::kMerge ? 2 : 1;
  if (edit.objects.size() < least) refuse(place, fmt::format("expected at least {} ids or points_nm", least));
  return edit;
}

}  // namespace

std::vector<LabelEdit> parse_label_edits(std::string_view text, std::string_view where) {
  const Json list = parse_json(text, std::string(where));
  if (!list.is_array()) refuse(std::string(where), "expected a list of edits");
  std::vector<LabelEdit> edits;
  std::size_t num_objects = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    edits.push_back(read_edit(list[i], fmt::format("{}[{}]", where, i)));
    num_objects += edits.back().objects.size();
    if (num_objects > kMaxObjects) {
      throw Error(ErrorKind::kResourceExhausted,
                  fmt::format("{}: more than {} objects are named", where, kMaxObjects));
    }
  }
  return edits;
}

}  // namespace organon::stages
