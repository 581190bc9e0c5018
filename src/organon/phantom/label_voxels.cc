#include "organon/phantom/label_voxels.h"

#include <algorithm>
#include <cmath>

#include "organon/phantom/cristae.h"
#include "organon/phantom/inner_vesicles.h"
#include "organon/phantom/mito_ribosomes.h"

namespace organon::phantom {
namespace {

constexpr float kFar = 1e9F;

class Labeller {
 public:
  Labeller(const Cell& cell, const VoxelGrid& grid, const Box& box)
      : cell_(cell),
        grid_(grid),
        box_(box),
        labels_(Array<std::uint8_t>::uninitialized(box.shape())),
        objects_(box.shape(), 0),
        bounds_{grid.to_nm(box.begin), grid.to_nm(box.end - Index3{1, 1, 1})} {
    for (std::int64_t x = box.begin.x; x < box.end.x; ++x) x_nm_.push_back(grid.to_nm({0, 0, x}).x);
  }

  LabelledVoxels run() {
    label_body();
    label_nucleus();
    const auto parts = cell_.parts_near(bounds_);
    label_er(parts);
    label_pores();
    label_unions(parts);
    for (const std::uint32_t number : parts) label_closed(cell_.parts[number]);
    return {std::move(labels_), std::move(objects_)};
  }

 private:
  // Calls use(first voxel of the row in the arrays, point at it, columns begin and end) for the rows of
  // `bounds`.
  template <class Use>
  void for_rows(const BoxNm& bounds, Use use) const {
    const Box box = grid_.voxels_with_centres_in(bounds.begin, bounds.end).intersect(box_);
    if (box.empty()) return;
    for (std::int64_t z = box.begin.z; z < box.end.z; ++z) {
      for (std::int64_t y = box.begin.y; y < box.end.y; ++y) {
        const PointNm start = grid_.to_nm({z, y, box.begin.x});
        const std::int64_t row =
            ((z - box_.begin.z) * box_.shape().y + (y - box_.begin.y)) * box_.shape().x - box_.begin.x;
        use(row, start, box.begin.x, box.end.x);
      }
    }
  }
  double x_at(std::int64_t column) const { return x_nm_[static_cast<std::size_t>(column - box_.begin.x)]; }

  // Calls use(voxel in the arrays, point, signed distance to `solid`) where `solid` may be.
  template <class Use>
  void for_voxels(const Solid& solid, const BoxNm& bounds, Use use) const {
    for_rows(bounds, [&](std::int64_t row, PointNm point, std::int64_t begin, std::int64_t end) {
      for (std::int64_t x = begin; x < end; ++x) {
        point.x = x_at(x);
        const double distance = signed_distance_nm(solid, point);
        if (distance <= 0) use(row + x, point, distance);
      }
    });
  }

  void set(std::int64_t voxel, std::uint8_t label, ObjectId object) {
    labels_.data()[voxel] = label;
    objects_.data()[voxel] = static_cast<std::uint32_t>(object);
  }

  void label_body() {
    const Solid& body = cell_.body;
    const PointNm centre = (bounds_.begin + bounds_.end) * 0.5;
    const double least_semi = std::min({body.semi_u_nm, body.semi_v_nm, body.semi_w_nm});
    const PointNm q = centre - body.centre_nm;
    const double level = length({dot(q, body.frame.u) / body.semi_u_nm, dot(q, body.frame.v) / body.semi_v_nm,
                                 dot(q, body.frame.w) / body.semi_w_nm});
    // Nowhere is the surface nearer than this.
    const double least_distance = std::abs(level - 1) * least_semi - distance(bounds_.begin, bounds_.end) / 2;
    const double waves = cell_.waves_nm + kPmThickness;
    if (least_distance > waves) {
      std::fill_n(labels_.data(), labels_.size(), level < 1 ? ids::kCyto : ids::kEcs);
      return;
    }
    for_rows(bounds_, [&](std::int64_t row, PointNm point, std::int64_t begin, std::int64_t end) {
      for (std::int64_t x = begin; x < end; ++x) {
        point.x = x_at(x);
        double distance = signed_distance_nm(body, point);
        if (std::abs(distance) < waves) distance += cell_.wave_at(point);
        labels_.data()[row + x] = distance > 0 ? ids::kEcs : distance > -kPmThickness ? ids::kPm : ids::kCyto;
      }
    });
  }

  void label_nucleus() {
    const Solid& nucleus = cell_.nucleus;
    const Object& object = cell_.objects.front();
    const BoxNm bounds = cell_.parts[object.first_part].bounds;
    if (!bounds.intersects(bounds_)) return;
    er_distance();
    std::vector<const Pore*> pores;
    for (const Pore& pore : cell_.pores) {
      if (bounds_.grow(200).contains(pore.centre_nm)) pores.push_back(&pore);
    }
    const LatticeNoise coarse(cell_.seed ^ 0x636f, 190);
    const LatticeNoise middle(cell_.seed ^ 0x6d69, 80);
    const LatticeNoise fine(cell_.seed ^ 0x6669, 36);
    std::vector<float> value(x_nm_.size());
    std::vector<float> waves(x_nm_.size());
    for_rows(bounds, [&](std::int64_t row, PointNm point, std::int64_t begin, std::int64_t end) {
      const auto first = static_cast<std::size_t>(begin - box_.begin.x);
      const auto count = static_cast<std::size_t>(end - begin);
      const std::span<const double> columns(x_nm_.data() + first, count);
      std::fill(value.begin(), value.end(), 0.0F);
      coarse.add_row(point.z, point.y, columns, 1.0F, std::span(value.data() + first, count));
      waves = value;
      for (float& v : value) v *= 0.6F;
      middle.add_row(point.z, point.y, columns, 0.4F, std::span(value.data() + first, count));
      fine.add_row(point.z, point.y, columns, 0.3F, std::span(value.data() + first, count));
      for (std::int64_t x = begin; x < end; ++x) {
        point.x = x_at(x);
        const double distance = signed_distance_nm(nucleus, point);
        if (distance > 0) continue;
        const double depth = -distance - kEnvelopeThickness;
        if (depth <= 0) {
          er_distance_.data()[row + x] = static_cast<float>(std::max(distance, depth));
          set(row + x, ids::kNeLum, object.id);
          continue;
        }
        const auto i = static_cast<std::size_t>(x - box_.begin.x);
        set(row + x, label_inside(point, depth, value[i], waves[i], pores), object.id);
      }
    });
  }

  std::uint8_t label_inside(const PointNm& point, double depth, double value, double waves,
                            const std::vector<const Pore*>& pores) const {
    double to_nucleolus = 1e9;
    for (const Solid& nucleolus : cell_.nucleoli)
      to_nucleolus = std::min(to_nucleolus, signed_distance_nm(nucleolus, point) + 30 * waves);
    if (to_nucleolus <= 0) return ids::kNucleo;
    if (to_nucleolus < 55) {
      const double biased = value + 0.5 * (1 - to_nucleolus / 55);
      if (biased > 0.42) return ids::kNhchrom;
      if (biased > 0.15) return ids::kNechrom;
    }
    double biased = value;
    if (depth < 110) {
      // Chromatin lines the envelope but leaves the way to pores free.
      double bias = 0.55 * (1 - depth / 110);
      for (const Pore* pore : pores) {
        const PointNm q = point - pore->centre_nm;
        const double along = dot(q, pore->axis);
        const double across = std::sqrt(std::max(0.0, dot(q, q) - along * along));
        if (across < 75 && along > -160) bias = std::min(bias, -0.6 * (1 - across / 75));
      }
      biased += bias;
    }
    return biased > 0.34 ? ids::kHchrom : biased > 0.05 ? ids::kEchrom : ids::kNucpl;
  }

  Array<float>& er_distance() {
    if (er_distance_.size() == 0) er_distance_ = Array<float>(box_.shape(), kFar);
    return er_distance_;
  }

  void label_er(const std::vector<std::uint32_t>& parts) {
    const Object* er = cell_.first_object(Organelle::kEr);
    if (er == nullptr) return;
    for (const std::uint32_t number : parts) {
      const Part& part = cell_.parts[number];
      if (part.object != er->id) continue;
      er_distance();
      for_voxels(part.solid, part.bounds, [&](std::int64_t voxel, const PointNm& point, double distance) {
        const std::uint8_t label = labels_.data()[voxel];
        if (label == ids::kNeLum) {
          // Tubes open into the envelope and leave its inner membrane whole.
          distance = std::max(distance, -cell_.nucleus_distance_nm(point) - kEnvelopeThickness);
        } else if (is_in_nucleus(label)) {
          return;
        }
        float& least = er_distance_.data()[voxel];
        least = std::min(least, static_cast<float>(distance));
      });
    }
    const Array<float> eres_distance = distance_to_exit_sites(parts);
    for (std::int64_t i = 0; i < er_distance_.size(); ++i) {
      const float to_er = er_distance_.data()[i];
      const float distance = eres_distance.size() == 0 ? to_er : std::min(to_er, eres_distance.data()[i]);
      if (distance > 0) continue;
      // One lumen: where ER and exit site meet, no membrane is between.
      const bool is_membrane = distance > -static_cast<float>(kErMembraneThickness);
      if (to_er > 0) {
        set(i, is_membrane ? ids::kEresMem : ids::kEresLum, objects_.data()[i]);
      } else if (labels_.data()[i] == ids::kNeLum) {
        set(i, is_membrane ? ids::kNeMem : ids::kNeLum, er->id);
      } else {
        set(i, is_membrane ? ids::kErMem : ids::kErLum, er->id);
      }
    }
  }

  // Negative inside; empty where none is near. Leaves their ids in objects_.
  Array<float> distance_to_exit_sites(const std::vector<std::uint32_t>& parts) {
    Array<float> least;
    for (const std::uint32_t number : parts) {
      const Part& part = cell_.parts[number];
      if (cell_.object(part.object).organelle != Organelle::kEres) continue;
      er_distance();
      if (least.size() == 0) least = Array<float>(box_.shape(), kFar);
      for_voxels(part.solid, part.bounds, [&](std::int64_t voxel, const PointNm&, double distance) {
        float& value = least.data()[voxel];
        value = std::min(value, static_cast<float>(distance));
        objects_.data()[voxel] = static_cast<std::uint32_t>(part.object);
      });
    }
    return least;
  }

  void label_pores() {
    constexpr double kReach = kPoreRadius + kEnvelopeThickness;
    for (const Pore& pore : cell_.pores) {
      const BoxNm bounds = BoxNm{pore.centre_nm, pore.centre_nm}.grow(kReach);
      if (!bounds.intersects(bounds_)) continue;
      for_rows(bounds, [&](std::int64_t row, PointNm point, std::int64_t begin, std::int64_t end) {
        for (std::int64_t x = begin; x < end; ++x) {
          const std::uint8_t label = labels_.data()[row + x];
          if (label != ids::kNeMem && label != ids::kNeLum) continue;
          point.x = x_at(x);
          const PointNm q = point - pore.centre_nm;
          const double along = dot(q, pore.axis);
          const double across = std::sqrt(std::max(0.0, dot(q, q) - along * along));
          if (across <= kPoreRadius)
            labels_.data()[row + x] = across <= kPoreChannelRadius ? ids::kNpIn : ids::kNpOut;
        }
      });
    }
  }

  // Organelles of several parts with one wall around all of them.
  void label_unions(const std::vector<std::uint32_t>& parts) {
    Array<float> least;
    for (const std::uint32_t number : parts) {
      const Part& part = cell_.parts[number];
      const Organelle organelle = cell_.object(part.object).organelle;
      const bool is_golgi = organelle == Organelle::kGolgi;
      if (!is_golgi && organelle != Organelle::kMicrotubule) continue;
      const auto thickness =
          static_cast<float>(is_golgi ? kGolgiMembraneThickness : kMicrotubuleWallThickness);
      const std::uint8_t wall = is_golgi ? ids::kGolgiMem : ids::kMtOut;
      const std::uint8_t lumen = is_golgi ? ids::kGolgiLum : ids::kMtIn;
      if (least.size() == 0) least = Array<float>(box_.shape(), kFar);
      for_voxels(part.solid, part.bounds, [&](std::int64_t voxel, const PointNm&, double distance) {
        float& value = least.data()[voxel];
        value = std::min(value, static_cast<float>(distance));
        set(voxel, value > -thickness ? wall : lumen, part.object);
      });
    }
  }

  // Organelles of one part with a wall, and what is the same all through.
  void label_closed(const Part& part) {
    const Object& object = cell_.object(part.object);
    const auto label_with_wall = [&](double thickness, std::uint8_t wall, std::uint8_t lumen) {
      for_voxels(part.solid, part.bounds, [&](std::int64_t voxel, const PointNm&, double distance) {
        set(voxel, distance > -thickness ? wall : lumen, object.id);
      });
    };
    switch (object.organelle) {
      case Organelle::kMito: {
        const Cristae cristae(cell_, object);
        const MitoRibosomes ribosomes(cell_, object, cristae);
        for_voxels(part.solid, part.bounds, [&](std::int64_t voxel, const PointNm& point, double distance) {
          const bool is_membrane = distance > -kMitoMembraneThickness || cristae.contains(point);
          set(voxel,
              is_membrane                 ? ids::kMitoMem
              : ribosomes.contains(point) ? ids::kMitoRibo
                                          : ids::kMitoLum,
              object.id);
        });
        return;
      }
      case Organelle::kEndo: {
        label_with_wall(kEndoMembraneThickness, ids::kEndoMem, ids::kEndoLum);
        for (const Solid& vesicle : inner_vesicles(cell_, object)) {
          for_voxels(vesicle, bounds_nm(vesicle), [&](std::int64_t voxel, const PointNm&, double distance) {
            if (distance > -kInnerVesicleMembraneThickness) labels_.data()[voxel] = ids::kEndoMem;
          });
        }
        return;
      }
      case Organelle::kCentrosome: {
        const auto index = static_cast<std::uint32_t>(&part - &cell_.parts[object.first_part]);
        const std::uint8_t label = index < kNumCentrioleTubules                  ? ids::kCent
                                   : index < kNumCentrioleTubules + kNumTriplets ? ids::kCentDapp
                                                                                 : ids::kCentSdapp;
        return label_with_wall(0, label, label);
      }
      case Organelle::kVesicle:
        return label_with_wall(kVesicleMembraneThickness, ids::kVesMem, ids::kVesLum);
      case Organelle::kLysosome:
        return label_with_wall(kLysosomeMembraneThickness, ids::kLysoMem, ids::kLysoLum);
      case Organelle::kLd:
        return label_with_wall(kLdMembraneThickness, ids::kLdMem, ids::kLdLum);
      case Organelle::kRibosome:
        return label_with_wall(0, ids::kRibo, ids::kRibo);
      case Organelle::kNucleus:
      case Organelle::kEr:
      case Organelle::kEres:
      case Organelle::kGolgi:
      case Organelle::kMicrotubule:
        return;
    }
  }

  const Cell& cell_;
  const VoxelGrid& grid_;
  Box box_;
  Array<std::uint8_t> labels_;
  Array<std::uint32_t> objects_;
  BoxNm bounds_;  ///< of the voxels' centres
  std::vector<double> x_nm_;
  /// Negative inside ER and envelope; empty where neither is near.
  Array<float> er_distance_;
};

}  // namespace

bool is_in_nucleus(std::uint8_t label) { return label >= ids::kNeMem && label <= ids::kNucleo; }
bool is_in_er(std::uint8_t label) { return label >= ids::kErMem && label <= ids::kNpIn; }

LabelledVoxels label_voxels(const Cell& cell, const VoxelGrid& grid, const Box& box) {
  return Labeller(cell, grid, box).run();
}

}  // namespace organon::phantom
