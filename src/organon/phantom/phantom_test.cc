#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "organon/base/error.h"
#include "organon/phantom/form_image.h"
#include "organon/phantom/inner_vesicles.h"
#include "organon/phantom/label_voxels.h"
#include "organon/phantom/truth_tables.h"
#include "organon/voxel/label_components.h"

namespace organon::phantom {
namespace {

const Cell& usual_cell() {
  static const Cell kCell = make_cell(SizeNm::cube(2048), 1);
  return kCell;
}

// Smaller, so that it can be looked at voxel by voxel.
const Cell& small_cell() {
  static const Cell kCell = make_cell(SizeNm::cube(1400), 3);
  return kCell;
}

VoxelGrid grid_of(double size_nm) { return {SizeNm::cube(size_nm), PointNm::cube(size_nm / 2)}; }

Box whole(double extent_nm, double size_nm) {
  return Box::of_shape(Shape3::cube(static_cast<std::int64_t>(extent_nm / size_nm)));
}

TEST(LatticeNoise, RowsGiveTheValuesOfPoints) {
  const LatticeNoise noise(7, 33);
  std::vector<double> x;
  for (int i = 0; i < 200; ++i) x.push_back(-300 + 3.7 * i);
  for (const double y : {-5.0, 40.3}) {
    std::vector<float> row(x.size(), 1);
    noise.add_row(12.5, y, x, 2, row);
    double least = 1;
    double largest = -1;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double value = noise.at({12.5, y, x[i]});
      EXPECT_FLOAT_EQ(row[i], 1 + 2 * static_cast<float>(value));
      least = std::min(least, value);
      largest = std::max(largest, value);
    }
    EXPECT_GE(least, -1);
    EXPECT_LE(largest, 1);
    EXPECT_GT(largest - least, 0.5);
  }
}

std::array<std::int64_t, ids::kCount> count_labels(const LabelledVoxels& voxels) {
  std::array<std::int64_t, ids::kCount> counts{};
  for (std::int64_t i = 0; i < voxels.labels.size(); ++i) ++counts.at(voxels.labels.data()[i]);
  return counts;
}

TEST(Cell, HasEveryClass) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Cell cell = make_cell(SizeNm::cube(2500), seed);
    const LabelledVoxels voxels = label_voxels(cell, grid_of(12.5), whole(2500, 12.5));
    const auto counts = count_labels(voxels);
    // 37 stands for a nucleus whose inside is not told apart.
    for (int id = 0; id < ids::kCount; ++id)
      EXPECT_EQ(counts.at(static_cast<std::size_t>(id)) > 0, id >= 1 && id <= 36)
          << "seed " << seed << " " << id;
    const auto share = [&](int first, int last) {
      std::int64_t sum = 0;
      for (int id = first; id <= last; ++id) sum += counts.at(static_cast<std::size_t>(id));
      return static_cast<double>(sum) / static_cast<double>(voxels.labels.size());
    };
    EXPECT_GT(share(ids::kMitoMem, ids::kMitoRibo), 0.05);
    EXPECT_GT(share(ids::kErMem, ids::kNpIn), 0.05);
    EXPECT_GT(share(ids::kNeMem, ids::kNucleo), 0.1);
    std::map<Organelle, int> numbers;
    for (const Object& object : cell.objects) ++numbers[object.organelle];
    for (const Organelle organelle : kOrganelles) EXPECT_GT(numbers[organelle], 0) << to_string(organelle);
    EXPECT_EQ(numbers[Organelle::kNucleus], 1);
    EXPECT_EQ(numbers[Organelle::kEr], 1);
    EXPECT_EQ(numbers[Organelle::kCentrosome], 1);
    EXPECT_GT(numbers[Organelle::kMito], 10);
  }
}

TEST(Cell, SmallVolumesHaveGolgiAndEndosomes) {
  for (const double size : {512.0, 1024.0, 1200.0}) {
    for (std::uint64_t seed = 1; seed <= (size < 1000 ? 12 : 3); ++seed) {
      const Cell cell = make_cell(SizeNm::cube(size), seed);
      const auto counts = count_labels(label_voxels(cell, grid_of(8), whole(size, 8)));
      for (const int id : {ids::kGolgiMem, ids::kGolgiLum, ids::kEndoMem, ids::kEndoLum})
        EXPECT_GT(counts.at(static_cast<std::size_t>(id)), 100) << size << " seed " << seed << " id " << id;
      EXPECT_EQ(cell.first_object(Organelle::kCentrosome) != nullptr, size >= 1200)
          << size << " seed " << seed;
    }
  }
}

// From the middle of the sphere outwards: as many times into a cisterna as there are cisternae, each with two
// walls.
TEST(Cell, GolgiIsAStackOfCisternae) {
  const Cell& cell = usual_cell();
  int num_stacks = 0;
  for (const Object& object : cell.objects) {
    if (object.organelle != Organelle::kGolgi) continue;
    ++num_stacks;
    const Solid& first = cell.first_solid(object);
    int num_cisternae = 0;
    for (std::uint32_t i = 0; i < object.num_parts; ++i) {
      if (cell.parts[object.first_part + i].solid.kind == SolidKind::kBowl) ++num_cisternae;
    }
    EXPECT_GE(num_cisternae, 4);
    EXPECT_LE(num_cisternae, 6);
    std::string crossed;
    for (double along = -40; along < 260; along += 1) {
      const PointNm point = first.centre_nm + first.frame.u * (first.core_radius_nm + along);
      const VoxelGrid at{SizeNm::cube(1), point};
      const LabelledVoxels voxel = label_voxels(cell, at, Box::of_shape(Shape3::cube(1)));
      if (voxel.objects.data()[0] != object.id) {
        if (!crossed.ends_with(' ')) crossed += ' ';
        continue;
      }
      const char sign = voxel.labels.data()[0] == ids::kGolgiMem ? 'm' : 'l';
      if (!crossed.ends_with(sign)) crossed += sign;
    }
    std::string expected = " ";
    for (int i = 0; i < num_cisternae; ++i) expected += "mlm ";
    EXPECT_EQ(crossed, expected);
  }
  EXPECT_GE(num_stacks, 1);
}

TEST(Cell, EndosomesHoldVesiclesThatAreApart) {
  const Cell& cell = usual_cell();
  int num_with_vesicles = 0;
  for (const Object& object : cell.objects) {
    if (object.organelle != Organelle::kEndo) continue;
    const Solid& body = cell.first_solid(object);
    const double longest = core_length_nm(body) + 2 * body.radius_nm;
    EXPECT_GE(2 * body.radius_nm, 200);
    EXPECT_LE(longest, 500);
    const std::vector<Solid> vesicles = inner_vesicles(cell, object);
    num_with_vesicles += vesicles.empty() ? 0 : 1;
    for (const Solid& vesicle : vesicles) {
      EXPECT_LT(signed_distance_nm(body, vesicle.centre_nm), -vesicle.radius_nm - kEndoMembraneThickness);
      for (const Solid& other : vesicles) {
        if (&other == &vesicle) continue;
        EXPECT_GT(distance(other.centre_nm, vesicle.centre_nm), other.radius_nm + vesicle.radius_nm);
      }
    }
    // Every voxel is as near to a wall as its label says.
    const VoxelGrid grid = grid_of(5);
    const BoxNm bounds = bounds_nm(body);
    const Box box = grid.voxels_with_centres_in(bounds.begin, bounds.end);
    const LabelledVoxels voxels = label_voxels(cell, grid, box);
    for (std::int64_t i = 0; i < voxels.labels.size(); ++i) {
      if (voxels.objects.data()[i] != object.id) continue;
      const Shape3 shape = box.shape();
      const Index3 at{i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x};
      const PointNm point = grid.to_nm(box.begin + at);
      bool is_membrane = signed_distance_nm(body, point) > -kEndoMembraneThickness;
      for (const Solid& vesicle : vesicles) {
        const double depth = vesicle.radius_nm - distance(point, vesicle.centre_nm);
        is_membrane = is_membrane || (depth >= 0 && depth < kInnerVesicleMembraneThickness);
      }
      ASSERT_EQ(voxels.labels.data()[i], is_membrane ? ids::kEndoMem : ids::kEndoLum);
    }
  }
  EXPECT_GE(num_with_vesicles, 1);
}

TEST(Cell, MitochondrialRibosomesAreDotsOf20NmInTheMatrix) {
  const Cell& cell = usual_cell();
  const VoxelGrid grid = grid_of(3);
  const Object* mito = cell.first_object(Organelle::kMito);
  ASSERT_NE(mito, nullptr);
  const BoxNm bounds = bounds_nm(cell.first_solid(*mito));
  const LabelledVoxels voxels =
      label_voxels(cell, grid, grid.voxels_with_centres_in(bounds.begin, bounds.end));
  Array<std::uint8_t> mask(voxels.labels.shape());
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    mask.data()[i] = voxels.labels.data()[i] == ids::kMitoRibo ? 1 : 0;
    if (mask.data()[i] == 1) {
      ASSERT_EQ(cell.object(voxels.objects.data()[i]).organelle, Organelle::kMito);
    }
  }
  Array<std::uint32_t> labels(mask.shape());
  const auto components = voxel::label_components(mask, Connectivity::kFace, labels).components;
  ASSERT_GT(components.size(), 5U);
  constexpr double kBall = 4.0 / 3 * 3.14159265 * 1000;
  double sum = 0;
  double largest = 0;
  for (const auto& component : components) {
    const double volume = static_cast<double>(component.voxels) * grid.voxel_volume_nm3();
    sum += volume;
    largest = std::max(largest, volume);
  }
  EXPECT_NEAR(largest / kBall, 1, 0.1);
  // Folds cut some.
  EXPECT_GT(sum / static_cast<double>(components.size()), 0.6 * kBall);
}

TEST(Cell, CentriolesHaveNineTripletsAndStandAtARightAngle) {
  const Cell& cell = usual_cell();
  const Object* centrosome = cell.first_object(Organelle::kCentrosome);
  ASSERT_NE(centrosome, nullptr);
  const auto tubule = [&](std::uint32_t index) { return cell.parts[centrosome->first_part + index].solid; };
  ASSERT_EQ(centrosome->num_parts, kNumCentrioleTubules + 2 * kNumTriplets);
  EXPECT_NEAR(dot(tubule(0).frame.u, tubule(kNumCentrioleTubules / 2).frame.u), 0, 1e-9);
  for (const std::uint32_t first : {0U, kNumCentrioleTubules / 2}) {
    PointNm middle;
    for (std::uint32_t i = 0; i < kNumTriplets; ++i)
      middle = middle + tubule(first + 3 * i).centre_nm * (1.0 / kNumTriplets);
    const auto label_at = [&](const PointNm& point) {
      return label_voxels(cell, VoxelGrid{SizeNm::cube(1), point}, Box::of_shape(Shape3::cube(1)))
          .labels.data()[0];
    };
    // Nothing is inside.
    for (double along = -100; along <= 100; along += 5) {
      EXPECT_EQ(label_at(middle + tubule(first).frame.u * along), ids::kCyto);
    }
    // Around the axis, at the middle tubules' distance.
    const Solid second = tubule(first + 1);
    const double radius = distance(second.centre_nm, middle);
    const Frame& frame = second.frame;
    int num_walls = 0;
    bool was_wall = true;
    for (int i = 0; i <= 720; ++i) {
      const double angle = i * 3.14159265358979 / 360;
      const PointNm point = middle + (frame.v * std::cos(angle) + frame.w * std::sin(angle)) * radius;
      const bool is_wall = label_at(point) == ids::kCent;
      if (is_wall && !was_wall) ++num_walls;
      was_wall = is_wall;
    }
    EXPECT_EQ(num_walls, 9);
  }
  for (std::uint32_t i = 0; i < centrosome->num_parts; ++i) {
    for (std::uint32_t k = 0; k < i; ++k)
      EXPECT_GT(least_distance_nm(tubule(i), tubule(k)), -1e-6) << i << " " << k;
  }
}

TEST(Cell, SmallFlatAndStretchedVolumesAreValid) {
  for (const SizeNm& size : {SizeNm{512, 512, 512}, {300, 2000, 900}, {256, 256, 256}}) {
    const Cell cell = make_cell(size, 4);
    const VoxelGrid grid{{20, 10, 10}, {10, 5, 5}};
    const Shape3 shape(Index3(static_cast<std::int64_t>(size.z / 20), static_cast<std::int64_t>(size.y / 10),
                              static_cast<std::int64_t>(size.x / 10)));
    const LabelledVoxels voxels = label_voxels(cell, grid, Box::of_shape(shape));
    std::int64_t inside = 0;
    for (std::int64_t i = 0; i < voxels.labels.size(); ++i) {
      const int label = voxels.labels.data()[i];
      ASSERT_TRUE(label > 0 && label < ids::kCount);
      ASSERT_LE(voxels.objects.data()[i], cell.objects.size());
      inside += is_in_nucleus(voxels.labels.data()[i]) ? 1 : 0;
    }
    EXPECT_GT(inside, 0) << to_string(size);
  }
  EXPECT_THROW(make_cell({100, 500, 500}, 1), Error);
}

TEST(Cell, AnotherSeedIsAnotherCell) {
  const Cell a = make_cell(SizeNm::cube(1000), 1);
  const Cell same = make_cell(SizeNm::cube(1000), 1);
  const Cell b = make_cell(SizeNm::cube(1000), 2);
  ASSERT_EQ(a.parts.size(), same.parts.size());
  for (std::size_t i = 0; i < a.parts.size(); ++i) {
    ASSERT_EQ(a.parts[i].solid.centre_nm, same.parts[i].solid.centre_nm);
  }
  EXPECT_FALSE(a.nucleus.centre_nm == b.nucleus.centre_nm);
}

// Then every voxel of an object is the object's, and its volume is the formula's.
TEST(Cell, ObjectsDoNotOverlap) {
  const Cell& cell = usual_cell();
  const auto is_grown_together = [](const Object& object) {
    return object.organelle == Organelle::kEr || object.organelle == Organelle::kNucleus ||
           object.organelle == Organelle::kEres;
  };
  int num_near = 0;
  int num_touching_mitos = 0;
  for (std::uint32_t i = 0; i < cell.parts.size(); ++i) {
    const Part& part = cell.parts[i];
    const Object& object = cell.object(part.object);
    for (const std::uint32_t number : cell.parts_near(part.bounds.grow(5))) {
      const Part& other = cell.parts[number];
      if (number >= i || other.object == part.object) continue;
      if (is_grown_together(object) && is_grown_together(cell.object(other.object))) continue;
      const double distance = least_distance_nm(part.solid, other.solid);
      // Core points stand 8 nm and more apart when room is sought.
      EXPECT_GT(distance, -0.5) << to_string(object.organelle) << " "
                                << to_string(cell.object(other.object).organelle);
      ++num_near;
      if (object.organelle == Organelle::kMito && cell.object(other.object).organelle == Organelle::kMito &&
          distance < 4) {
        ++num_touching_mitos;
      }
    }
  }
  EXPECT_GT(num_near, 100);
  EXPECT_GT(num_touching_mitos, 2);
}

TEST(Cell, VoxelsOfObjectsAreTheFormulasVolume) {
  const Cell& cell = usual_cell();
  const ObjectTable table = object_table(cell);
  const VoxelGrid grid = grid_of(4);
  std::map<Organelle, int> checked;
  for (const Object& object : cell.objects) {
    const Organelle organelle = object.organelle;
    const double expected = table.column<double>("volume_nm3")[object.id - 1];
    const bool has_formula = organelle != Organelle::kEr && organelle != Organelle::kEres &&
                             organelle != Organelle::kGolgi && organelle != Organelle::kMicrotubule;
    ASSERT_EQ(std::isnan(expected), !has_formula);
    // The nucleus's envelope is the ER's.
    if (!has_formula || organelle == Organelle::kNucleus || checked[organelle] == 4) continue;
    ++checked[organelle];
    BoxNm bounds = cell.parts[object.first_part].bounds;
    for (std::uint32_t i = 1; i < object.num_parts; ++i)
      bounds = bounds.unite(cell.parts[object.first_part + i].bounds);
    const LabelledVoxels voxels =
        label_voxels(cell, grid, grid.voxels_with_centres_in(bounds.begin, bounds.end));
    const auto count = std::count(voxels.objects.data(), voxels.objects.data() + voxels.objects.size(),
                                  static_cast<std::uint32_t>(object.id));
    const double volume = static_cast<double>(count) * grid.voxel_volume_nm3();
    EXPECT_NEAR(volume / expected, 1, organelle == Organelle::kRibosome ? 0.12 : 0.02)
        << to_string(organelle) << " " << object.id;
  }
  EXPECT_EQ(checked.size(), 7U);
}

TEST(Cell, ErIsJoinedToTheEnvelope) {
  const VoxelGrid grid = grid_of(7);
  const LabelledVoxels voxels = label_voxels(small_cell(), grid, whole(1400, 7));
  const auto check = [&](const std::set<int>& label_ids, Connectivity connectivity) {
    Array<std::uint8_t> mask(voxels.labels.shape());
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      mask.data()[i] = label_ids.contains(voxels.labels.data()[i]) ? 1 : 0;
      total += mask.data()[i];
    }
    Array<std::uint32_t> labels(mask.shape());
    const auto components = voxel::label_components(mask, connectivity, labels);
    std::int64_t largest = 0;
    for (const auto& component : components.components) largest = std::max(largest, component.voxels);
    // Corners of the lumen may be cut off where sheets graze the volume's faces.
    EXPECT_GT(static_cast<double>(largest), 0.998 * static_cast<double>(total));
    EXPECT_GT(total, 20'000);
  };
  check({16, 17, 18, 19, 20, 21, 22, 23}, Connectivity::kFace);
  check({17, 19, 21}, Connectivity::kFace);
  const auto counts = count_labels(voxels);
  EXPECT_GT(counts.at(ids::kEresMem) + counts.at(ids::kEresLum), 1000);
}

TEST(Cell, MicrotubulesAreBentUnbranchedTubesOf25Nm) {
  const Cell& cell = usual_cell();
  const ObjectTable lines = microtubule_table(cell);
  std::map<std::uint64_t, std::vector<PointNm>> points;
  for (std::size_t i = 0; i < lines.num_rows(); ++i) {
    points[lines.column<std::uint64_t>("microtubule")[i]].push_back(
        {lines.column<double>("z_nm")[i], lines.column<double>("y_nm")[i], lines.column<double>("x_nm")[i]});
  }
  ASSERT_GT(points.size(), 5U);
  const VoxelGrid grid = grid_of(3);
  int num_measured = 0;
  for (const auto& [id, line] : points) {
    double length_nm = 0;
    for (std::size_t i = 1; i < line.size(); ++i) length_nm += distance(line[i - 1], line[i]);
    EXPECT_GE(length_nm, 500);
    for (std::size_t i = 1; i + 1 < line.size(); ++i) {
      const double cosine = dot(unit(line[i] - line[i - 1]), unit(line[i + 1] - line[i]));
      EXPECT_GT(cosine, 0.99);
      for (std::size_t k = i + 3; k < line.size(); ++k)
        EXPECT_GT(distance(line[i], line[k]), 3 * kMicrotubuleRadius);
    }
    if (num_measured == 3) continue;
    ++num_measured;
    // Wall and lumen between two of its places, across: the label's area is that of a disc of 25 nm.
    std::int64_t wall = 0;
    std::int64_t lumen = 0;
    const PointNm middle = line[line.size() / 2];
    const BoxNm around = BoxNm{middle, middle}.grow(60);
    const Box box = grid.voxels_with_centres_in(around.begin, around.end);
    const LabelledVoxels voxels = label_voxels(cell, grid, box);
    const PointNm along = unit(line[line.size() / 2 + 1] - line[line.size() / 2 - 1]);
    for (std::int64_t z = 0; z < box.shape().z; ++z) {
      for (std::int64_t y = 0; y < box.shape().y; ++y) {
        for (std::int64_t x = 0; x < box.shape().x; ++x) {
          const PointNm q = grid.to_nm(box.begin + Index3{z, y, x}) - middle;
          if (voxels.objects(z, y, x) != id || std::abs(dot(q, along)) > 20) continue;
          (voxels.labels(z, y, x) == ids::kMtOut ? wall : lumen) += 1;
        }
      }
    }
    const double area = static_cast<double>(wall + lumen) * grid.voxel_volume_nm3() / 40;
    EXPECT_NEAR(2 * std::sqrt(area / 3.14159265), 25, 1);
    EXPECT_GT(lumen, 100);
  }
}

TEST(Cell, ClosePairsAreThose) {
  const Cell cell = make_cell(SizeNm::cube(900), 6);
  const ObjectTable table = close_pair_table(cell);
  std::map<std::pair<ObjectId, ObjectId>, double> found;
  for (std::size_t i = 0; i < table.num_rows(); ++i) {
    found[{table.column<std::uint64_t>("id_a")[i], table.column<std::uint64_t>("id_b")[i]}] =
        table.column<double>("distance_nm")[i];
  }
  // Every pair of balls and capsules, one against one.
  int num_pairs = 0;
  for (const Object& a : cell.objects) {
    for (const Object& b : cell.objects) {
      if (a.id >= b.id || a.num_parts != 1 || b.num_parts != 1 || a.organelle == Organelle::kNucleus)
        continue;
      const double distance = least_distance_nm(cell.first_solid(a), cell.first_solid(b));
      const auto place = found.find({a.id, b.id});
      ASSERT_EQ(place != found.end(), distance <= 10) << a.id << " " << b.id << " " << distance;
      if (place == found.end()) continue;
      EXPECT_NEAR(place->second, std::max(distance, 0.0), 0.02);
      ++num_pairs;
    }
  }
  EXPECT_GT(num_pairs, 10);
  const ObjectId er = cell.first_object(Organelle::kEr)->id;
  for (const Object& object : cell.objects) {
    if (object.organelle == Organelle::kEres) {
      EXPECT_EQ(found.at(std::minmax(er, object.id)), 0);
    }
  }
}

TEST(LabelVoxels, PartsAreThoseOfTheWhole) {
  const VoxelGrid grid{{12, 9, 9}, {6, 4.5, 4.5}};
  const Box box{{10, -3, 20}, {70, 90, 140}};
  const LabelledVoxels all = label_voxels(small_cell(), grid, box);
  Random random(8);
  for (int i = 0; i < 12; ++i) {
    const auto draw = [&](std::int64_t low, std::int64_t high) {
      return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low)));
    };
    Index3 begin;
    begin.z = draw(box.begin.z, box.end.z);
    begin.y = draw(box.begin.y, box.end.y);
    begin.x = draw(box.begin.x, box.end.x);
    const Box part{begin, min(begin + Index3{draw(1, 40), draw(1, 40), draw(1, 60)}, box.end)};
    const LabelledVoxels some = label_voxels(small_cell(), grid, part);
    const auto same = [&](const auto& whole_array, const auto& part_array) {
      for (std::int64_t z = part.begin.z; z < part.end.z; ++z) {
        for (std::int64_t y = part.begin.y; y < part.end.y; ++y) {
          for (std::int64_t x = part.begin.x; x < part.end.x; ++x) {
            ASSERT_EQ(whole_array(Index3{z, y, x} - box.begin), part_array(Index3{z, y, x} - part.begin));
          }
        }
      }
    };
    same(all.labels, some.labels);
    same(all.objects, some.objects);
  }
}

TEST(FormImage, PartsAreThoseOfTheWhole) {
  const VoxelGrid grid{{10, 8, 8}, {5, 4, 4}};
  const Contrast contrast = contrast_named("jurkat");
  const Box box{{30, 40, 50}, {60, 80, 100}};
  const Array<std::uint8_t> all = form_image(small_cell(), contrast, grid, box);
  for (const Box& part :
       {Box{{30, 40, 50}, {31, 41, 51}}, Box{{41, 55, 60}, {60, 80, 97}}, Box{{35, 40, 99}, {45, 60, 100}}}) {
    const Array<std::uint8_t> some = form_image(small_cell(), contrast, grid, part);
    for (std::int64_t z = part.begin.z; z < part.end.z; ++z) {
      for (std::int64_t y = part.begin.y; y < part.end.y; ++y) {
        for (std::int64_t x = part.begin.x; x < part.end.x; ++x) {
          ASSERT_EQ(all(Index3{z, y, x} - box.begin), some(Index3{z, y, x} - part.begin));
        }
      }
    }
  }
}

TEST(FormImage, GridsAreAligned) {
  const VoxelGrid raw{{10, 8, 6}, {5, 4, 3}};
  EXPECT_EQ(label_grid_of(raw).downsampled(Shape3::cube(2)), raw);
  EXPECT_THROW(contrast_named("hale"), Error);
}

TEST(Contrast, EveryPresetStainsEveryLabelAndHasItsOwnNoise) {
  std::set<std::pair<float, float>> noises;
  for (const std::string& name : contrast_names()) {
    const Contrast contrast = contrast_named(name);
    EXPECT_EQ(contrast.name, name);
    for (int id = 1; id <= 36; ++id) {
      const Stain& stain = contrast.stains.at(static_cast<std::size_t>(id));
      EXPECT_GT(stain.fine, 0) << name << " " << id;
      EXPECT_TRUE(stain.grey > 20 && stain.grey < 220) << name << " " << id;
    }
    // Membranes are darker than what they hold.
    for (const auto& [membrane, lumen] : {std::pair{6, 7},
                                          {8, 9},
                                          {10, 11},
                                          {12, 13},
                                          {16, 17},
                                          {18, 19},
                                          {20, 21},
                                          {30, 36},
                                          {31, 35},
                                          {5, 4}}) {
      EXPECT_LT(contrast.stains.at(static_cast<std::size_t>(membrane)).grey + 20,
                contrast.stains.at(static_cast<std::size_t>(lumen)).grey)
          << name << " " << membrane;
    }
    noises.insert({contrast.read_noise, contrast.shot_noise});
  }
  EXPECT_EQ(noises.size(), contrast_names().size());
}

// Mean over a cube of (2 radius + 1)^3, three times along each axis: close to a Gaussian.
std::vector<float> smoothed(const Array<std::uint8_t>& image, std::int64_t radius) {
  const Shape3 shape = image.shape();
  std::vector<float> values(image.data(), image.data() + image.size());
  if (radius == 0) return values;
  std::vector<float> next(values.size());
  const std::int64_t steps[3] = {1, shape.x, shape.x * shape.y};
  const std::int64_t sizes[3] = {shape.x, shape.y, shape.z};
  for (int pass = 0; pass < 9; ++pass) {
    const std::int64_t step = steps[pass % 3];
    const std::int64_t size = sizes[pass % 3];
    for (std::int64_t i = 0; i < image.size(); ++i) {
      const std::int64_t at = i / step % size;
      float sum = 0;
      for (std::int64_t k = -radius; k <= radius; ++k) {
        const std::int64_t to = std::clamp<std::int64_t>(at + k, 0, size - 1);
        sum += values[static_cast<std::size_t>(i + (to - at) * step)];
      }
      next[static_cast<std::size_t>(i)] = sum / static_cast<float>(2 * radius + 1);
    }
    std::swap(values, next);
  }
  return values;
}

// The best F1 of all masks "low <= value < high": both one-sided thresholds among them.
double best_f1(const std::vector<float>& values, const std::vector<bool>& truth) {
  constexpr std::size_t kBins = 512;
  std::vector<double> inside(kBins + 1, 0);
  std::vector<double> all(kBins + 1, 0);
  double positives = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bin = static_cast<std::size_t>(std::clamp(values[i] * 2, 0.0F, static_cast<float>(kBins - 1)));
    all[bin + 1] += 1;
    inside[bin + 1] += truth[i] ? 1 : 0;
    positives += truth[i] ? 1 : 0;
  }
  for (std::size_t i = 1; i <= kBins; ++i) {
    all[i] += all[i - 1];
    inside[i] += inside[i - 1];
  }
  double best = 0;
  for (std::size_t low = 0; low < kBins; ++low) {
    for (std::size_t high = low + 1; high <= kBins; ++high) {
      best = std::max(best, 2 * (inside[high] - inside[low]) / (all[high] - all[low] + positives));
    }
  }
  return best;
}

class FormImageOf : public ::testing::TestWithParam<std::string> {};

TEST_P(FormImageOf, NoThresholdFindsMitochondriaOrEr) {
  const VoxelGrid grid = grid_of(8);
  // From face to face: cytoplasm, nucleus and what is outside, in about the shares of the whole.
  const Box box = Box::at({40, 48, 0}, {48, 160, 256});
  const LabelledVoxels truth = label_voxels(usual_cell(), grid, box);
  const Array<std::uint8_t> image = form_image(usual_cell(), contrast_named(GetParam()), grid, box);
  std::vector<bool> is_mito(static_cast<std::size_t>(image.size()));
  std::vector<bool> is_er(is_mito.size());
  for (std::size_t i = 0; i < is_mito.size(); ++i) {
    const int label = truth.labels.data()[i];
    is_mito[i] = label >= 3 && label <= 5;
    is_er[i] = label >= 16 && label <= 23;
  }
  ASSERT_GT(std::count(is_mito.begin(), is_mito.end(), true), image.size() / 12);
  ASSERT_GT(std::count(is_er.begin(), is_er.end(), true), image.size() / 20);
  // Sigmas of about 0, 11, 20, 36 nm.
  for (const std::int64_t radius : {0, 1, 2, 4}) {
    const std::vector<float> values = smoothed(image, radius);
    EXPECT_LT(best_f1(values, is_mito), 0.5) << "smoothed " << radius;
    EXPECT_LT(best_f1(values, is_er), 0.5) << "smoothed " << radius;
  }
}

INSTANTIATE_TEST_SUITE_P(Contrasts, FormImageOf, ::testing::ValuesIn(contrast_names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace organon::phantom
