#include "organon/phantom/truth_tables.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace organon::phantom {
namespace {

BoxNm bounds_of(const Cell& cell, const Object& object) {
  const bool is_er = object.organelle == Organelle::kEr;
  BoxNm box = is_er ? bounds_nm(cell.nucleus) : cell.parts[object.first_part].bounds;
  for (std::uint32_t i = 0; i < object.num_parts; ++i)
    box = box.unite(cell.parts[object.first_part + i].bounds);
  if (!is_er) return box;
  // The envelope is the ER's, and so are exit sites.
  for (const Object& other : cell.objects) {
    if (other.organelle == Organelle::kEres) box = box.unite(bounds_of(cell, other));
  }
  return box;
}

// Whether the object is its first part.
bool is_one_solid(const Object& object) {
  switch (object.organelle) {
    case Organelle::kEr:
    case Organelle::kEres:
    case Organelle::kGolgi:
    case Organelle::kMicrotubule:
    case Organelle::kCentrosome:
      return false;
    default:
      return true;
  }
}

// The parts of a centrosome do not overlap.
std::optional<double> volume_of(const Cell& cell, const Object& object) {
  if (is_one_solid(object)) return volume_nm3(cell.first_solid(object));
  if (object.organelle != Organelle::kCentrosome) return std::nullopt;
  double sum = 0;
  for (std::uint32_t i = 0; i < object.num_parts; ++i)
    sum += *volume_nm3(cell.parts[object.first_part + i].solid);
  return sum;
}

std::vector<std::string> class_names(const Cell& cell, const std::vector<ObjectId>& ids) {
  std::vector<std::string> names;
  for (const ObjectId id : ids) names.emplace_back(to_string(cell.object(id).organelle));
  return names;
}

}  // namespace

ObjectTable object_table(const Cell& cell) {
  constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
  std::vector<ObjectId> ids;
  std::vector<double> volume;
  std::vector<double> surface;
  std::vector<double> centre[3];
  std::vector<double> begin[3];
  std::vector<double> end[3];
  std::vector<std::int64_t> touches_edge;
  for (const Object& object : cell.objects) {
    const BoxNm box = bounds_of(cell, object);
    const Solid* solid = is_one_solid(object) ? &cell.first_solid(object) : nullptr;
    const PointNm middle = solid != nullptr ? middle_nm(*solid) : (box.begin + box.end) * 0.5;
    ids.push_back(object.id);
    volume.push_back(volume_of(cell, object).value_or(kMissing));
    surface.push_back(solid != nullptr ? surface_nm2(*solid).value_or(kMissing) : kMissing);
    const auto add = [](std::vector<double>(&columns)[3], const PointNm& point) {
      columns[0].push_back(point.z);
      columns[1].push_back(point.y);
      columns[2].push_back(point.x);
    };
    add(centre, middle);
    add(begin, box.begin);
    add(end, box.end);
    touches_edge.push_back(cell.volume.contains(box) ? 0 : 1);
  }
  ObjectTable table(ids);
  table.add_column("class", class_names(cell, ids))
      .add_column("volume_nm3", volume)
      .add_column("surface_nm2", surface);
  table.add_column("centre_z_nm", centre[0])
      .add_column("centre_y_nm", centre[1])
      .add_column("centre_x_nm", centre[2]);
  table.add_column("box_begin_z_nm", begin[0]).add_column("box_begin_y_nm", begin[1]);
  table.add_column("box_begin_x_nm", begin[2]).add_column("box_end_z_nm", end[0]);
  table.add_column("box_end_y_nm", end[1])
      .add_column("box_end_x_nm", end[2])
      .add_column("touches_edge", touches_edge);
  return table;
}

ObjectTable microtubule_table(const Cell& cell) {
  std::vector<ObjectId> points;
  std::vector<std::uint64_t> microtubule;
  std::vector<double> z;
  std::vector<double> y;
  std::vector<double> x;
  const auto add = [&](ObjectId object, const PointNm& point) {
    points.push_back(points.size() + 1);
    microtubule.push_back(object);
    z.push_back(point.z);
    y.push_back(point.y);
    x.push_back(point.x);
  };
  for (const Object& object : cell.objects) {
    if (object.organelle != Organelle::kMicrotubule) continue;
    add(object.id, core_point_nm(cell.first_solid(object), -1));
    for (std::uint32_t i = 0; i < object.num_parts; ++i) {
      add(object.id, core_point_nm(cell.parts[object.first_part + i].solid, 1));
    }
  }
  ObjectTable table(points, "point");
  table.add_column("microtubule", microtubule)
      .add_column("z_nm", z)
      .add_column("y_nm", y)
      .add_column("x_nm", x);
  return table;
}

ObjectTable close_pair_table(const Cell& cell, double limit_nm) {
  std::map<std::pair<ObjectId, ObjectId>, double> pairs;
  const auto learn = [&](ObjectId a, ObjectId b, double distance) {
    if (a == b || distance > limit_nm) return;
    const auto [place, is_new] = pairs.try_emplace(std::minmax(a, b), distance);
    if (!is_new) place->second = std::min(place->second, distance);
  };
  const ObjectId nucleus = cell.objects.front().id;
  const Object* const er_object = cell.first_object(Organelle::kEr);
  const ObjectId er = er_object == nullptr ? 0 : er_object->id;
  const auto is_er_too = [&](ObjectId id) {
    return id == nucleus || cell.object(id).organelle == Organelle::kEres;
  };
  // Grown out of each other.
  if (er != 0) learn(nucleus, er, 0);
  for (const Object& object : cell.objects) {
    if (object.organelle == Organelle::kEres) learn(object.id, er, 0);
  }
  for (std::uint32_t i = 0; i < cell.parts.size(); ++i) {
    const Part& part = cell.parts[i];
    const BoxNm around = part.bounds.grow(limit_nm);
    // A pair is looked at once: from its later part, and never from the nucleus, which comes first.
    for (const std::uint32_t number : cell.parts_near(around)) {
      if (number >= i) break;
      const Part& other = cell.parts[number];
      if (other.object == part.object || (other.object == nucleus && part.object == er)) continue;
      const double distance = std::max(0.0, least_distance_nm(part.solid, other.solid));
      learn(part.object, other.object, distance);
      if (is_er_too(part.object)) learn(er, other.object, distance);
      if (is_er_too(other.object)) learn(part.object, er, distance);
    }
  }
  std::vector<ObjectId> numbers;
  std::vector<std::uint64_t> a;
  std::vector<std::uint64_t> b;
  std::vector<double> distances;
  for (const auto& [pair, distance] : pairs) {
    numbers.push_back(numbers.size() + 1);
    a.push_back(pair.first);
    b.push_back(pair.second);
    distances.push_back(distance);
  }
  ObjectTable table(numbers, "pair");
  const auto class_a = class_names(cell, a);
  const auto class_b = class_names(cell, b);
  table.add_column("id_a", std::move(a)).add_column("class_a", class_a).add_column("id_b", std::move(b));
  table.add_column("class_b", class_b).add_column("distance_nm", distances);
  return table;
}

}  // namespace organon::phantom
