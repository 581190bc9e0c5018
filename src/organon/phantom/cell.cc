#include "organon/phantom/cell.h"

#include <algorithm>
#include <cmath>

namespace organon::phantom {

std::string_view to_string(Organelle organelle) {
  switch (organelle) {
    case Organelle::kNucleus:
      return "nucleus";
    case Organelle::kEr:
      return "er";
    case Organelle::kEres:
      return "eres";
    case Organelle::kMito:
      return "mito";
    case Organelle::kGolgi:
      return "golgi";
    case Organelle::kVesicle:
      return "vesicle";
    case Organelle::kEndo:
      return "endo";
    case Organelle::kLysosome:
      return "lysosome";
    case Organelle::kLd:
      return "ld";
    case Organelle::kMicrotubule:
      return "microtubule";
    case Organelle::kCentrosome:
      return "centrosome";
    case Organelle::kRibosome:
      break;
  }
  return "ribosome";
}

std::int64_t PartIndex::cell_of(double coordinate) const {
  return static_cast<std::int64_t>(std::floor(coordinate / cell_nm_));
}

std::uint64_t PartIndex::key(std::int64_t z, std::int64_t y, std::int64_t x) {
  constexpr std::uint64_t kMask = (1 << 21) - 1;
  return (static_cast<std::uint64_t>(z) & kMask) << 42 | (static_cast<std::uint64_t>(y) & kMask) << 21 |
         (static_cast<std::uint64_t>(x) & kMask);
}

void PartIndex::add(std::uint32_t part, const BoxNm& bounds) {
  const BoxNm box = bounds.grow(reach_nm_);
  for (std::int64_t z = cell_of(box.begin.z); z <= cell_of(box.end.z); ++z) {
    for (std::int64_t y = cell_of(box.begin.y); y <= cell_of(box.end.y); ++y) {
      for (std::int64_t x = cell_of(box.begin.x); x <= cell_of(box.end.x); ++x)
        cells_[key(z, y, x)].push_back(part);
    }
  }
}

const std::vector<std::uint32_t>& PartIndex::near(const PointNm& point) const {
  static const std::vector<std::uint32_t> kNone;
  const auto found = cells_.find(key(cell_of(point.z), cell_of(point.y), cell_of(point.x)));
  return found == cells_.end() ? kNone : found->second;
}

std::vector<std::uint32_t> PartIndex::near(const BoxNm& box) const {
  std::vector<std::uint32_t> parts;
  for (std::int64_t z = cell_of(box.begin.z); z <= cell_of(box.end.z); ++z) {
    for (std::int64_t y = cell_of(box.begin.y); y <= cell_of(box.end.y); ++y) {
      for (std::int64_t x = cell_of(box.begin.x); x <= cell_of(box.end.x); ++x) {
        const auto found = cells_.find(key(z, y, x));
        if (found != cells_.end()) parts.insert(parts.end(), found->second.begin(), found->second.end());
      }
    }
  }
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts;
}

Cell::Cell(const SizeNm& size_nm, std::uint64_t seed_value)
    : volume{{0, 0, 0}, PointNm(size_nm)},
      seed(seed_value),
      waves(seed_value ^ 0x706d, 480),
      ruffles(seed_value ^ 0x7275, 150),
      index(200, 0) {}

double Cell::body_distance_nm(const PointNm& point) const {
  const double distance = signed_distance_nm(body, point);
  // Far from the surface its waves do not matter.
  if (std::abs(distance) > 8 * waves_nm) return distance;
  return distance + wave_at(point);
}

double Cell::wave_at(const PointNm& point) const {
  return waves_nm * (0.82 * waves.at(point) + 0.18 * ruffles.at(point));
}

const Object* Cell::first_object(Organelle organelle) const {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const Object& object) { return object.organelle == organelle; });
  return found == objects.end() ? nullptr : &*found;
}

std::vector<std::uint32_t> Cell::parts_near(const BoxNm& box) const {
  std::vector<std::uint32_t> found = index.near(box);
  std::erase_if(found, [&](std::uint32_t part) { return !parts[part].bounds.intersects(box); });
  return found;
}

}  // namespace organon::phantom
