#include "organon/phantom/form_image.h"

#include <algorithm>
#include <cmath>

#include "organon/phantom/label_voxels.h"

namespace organon::phantom {
namespace {

// Hashes of places that are no objects.
enum Stream : std::uint64_t {
  kFineTexture = 101,
  kMiddleTexture,
  kCoarseTexture,
  kDrift,
  kJitter,
  kCurtain,
  kCurtainWide,
  kNoise
};

std::vector<float> gaussian_weights(double sigma, std::int64_t radius) {
  std::vector<float> weights;
  double sum = 0;
  for (std::int64_t i = -radius; i <= radius; ++i) {
    const auto distance = static_cast<double>(i);
    const double weight =
        sigma > 0 ? std::exp(-distance * distance / (2 * sigma * sigma)) : (i == 0 ? 1.0 : 0.0);
    weights.push_back(static_cast<float>(weight));
    sum += weight;
  }
  for (float& weight : weights) weight /= static_cast<float>(sum);
  return weights;
}

// Weighted sum of `weights.size()` values of `input`, `step` apart, for each voxel of `output`, whose voxel
// (z, y, x) begins at (z, y, x) of the input. The order of addition is fixed.
Array<float> blur_along(const Array<float>& input, const Shape3& output_shape, std::int64_t step,
                        const std::vector<float>& weights) {
  Array<float> output(output_shape, 0.0F);
  const Shape3 shape = input.shape();
  for (std::int64_t z = 0; z < output_shape.z; ++z) {
    for (std::int64_t y = 0; y < output_shape.y; ++y) {
      const float* from = input.data() + (z * shape.y + y) * shape.x;
      float* to = output.data() + (z * output_shape.y + y) * output_shape.x;
      for (std::size_t k = 0; k < weights.size(); ++k) {
        const float weight = weights[k];
        const float* source = from + static_cast<std::int64_t>(k) * step;
        for (std::int64_t x = 0; x < output_shape.x; ++x) to[x] += weight * source[x];
      }
    }
  }
  return output;
}

// In [-1, 1].
float hash_of_object(std::uint64_t seed, std::uint32_t object) {
  return static_cast<float>(static_cast<std::int64_t>(mix64(seed ^ mix64(object))) >> 40) * 0x1.0p-23F;
}

// About standard normal: four uniform numbers of 16 bits.
float noise_at(std::uint64_t seed, const Index3& voxel) {
  const std::uint64_t place = static_cast<std::uint64_t>(voxel.z) << 42 ^
                              static_cast<std::uint64_t>(voxel.y) << 21 ^ static_cast<std::uint64_t>(voxel.x);
  const std::uint64_t bits = mix64(seed ^ mix64(place));
  const auto sum = static_cast<std::int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
                                             (bits >> 48));
  constexpr float kDeviation = 37837.2F;  // 65536 / sqrt(3)
  return static_cast<float>(sum - 2 * 65535) / kDeviation;
}

// Mean stain and texture, before the beam.
Array<float> stain_voxels(const Cell& cell, const Contrast& contrast, const VoxelGrid& raw_grid,
                          const Box& box) {
  const LabelledVoxels fine = label_voxels(cell, label_grid_of(raw_grid), {box.begin * 2, box.end * 2});
  const std::uint64_t seed = mix64(cell.seed ^ 0x737461696e);
  const LatticeNoise fine_texture(seed ^ kFineTexture, 22);
  const LatticeNoise middle_texture(seed ^ kMiddleTexture, 65);
  const LatticeNoise coarse_texture(seed ^ kCoarseTexture, 300);
  const Shape3 shape = box.shape();
  std::vector<double> x_nm;
  for (std::int64_t x = box.begin.x; x < box.end.x; ++x) x_nm.push_back(raw_grid.to_nm({0, 0, x}).x);
  Array<float> stained(shape);
  std::vector<float> textures[3];
  const auto width = static_cast<std::size_t>(shape.x);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const PointNm start = raw_grid.to_nm(box.begin + Index3{z, y, 0});
      const LatticeNoise* noises[3] = {&fine_texture, &middle_texture, &coarse_texture};
      for (int k = 0; k < 3; ++k) {
        textures[k].assign(width, 0.0F);
        noises[k]->add_row(start.z, start.y, x_nm, 1.0F, textures[k]);
      }
      float* row = stained.data() + (z * shape.y + y) * shape.x;
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const auto i = static_cast<std::size_t>(x);
        float sum = 0;
        for (int part = 0; part < 8; ++part) {
          const Index3 at{2 * z + (part >> 2), 2 * y + (part >> 1 & 1), 2 * x + (part & 1)};
          const Stain& stain =
              contrast.stains[fine.labels.data()[(at.z * 2 * shape.y + at.y) * 2 * shape.x + at.x]];
          float grey = stain.grey + stain.fine * textures[0][i] + stain.middle * textures[1][i] +
                       stain.coarse * textures[2][i];
          if (stain.spread > 0) {
            grey +=
                stain.spread *
                hash_of_object(seed, fine.objects.data()[(at.z * 2 * shape.y + at.y) * 2 * shape.x + at.x]);
          }
          sum += grey;
        }
        row[x] = sum / 8;
      }
    }
  }
  return stained;
}

}  // namespace

VoxelGrid label_grid_of(const VoxelGrid& raw_grid) {
  const SizeNm size = raw_grid.voxel_size_nm * 0.5;
  return {size,
          {raw_grid.offset_nm.z - size.z / 2, raw_grid.offset_nm.y - size.y / 2,
           raw_grid.offset_nm.x - size.x / 2}};
}

Shape3 blur_halo(const Contrast& contrast, const SizeNm& voxel_size_nm) {
  const auto radius = [](double sigma_nm, double size_nm) {
    return static_cast<std::int64_t>(std::ceil(2.5 * sigma_nm / size_nm));
  };
  return {radius(contrast.blur_z_nm, voxel_size_nm.z), radius(contrast.blur_yx_nm, voxel_size_nm.y),
          radius(contrast.blur_yx_nm, voxel_size_nm.x)};
}

Array<std::uint8_t> form_image(const Cell& cell, const Contrast& contrast, const VoxelGrid& raw_grid,
                               const Box& box) {
  const SizeNm size = raw_grid.voxel_size_nm;
  const Shape3 halo = blur_halo(contrast, size);
  const Shape3 shape = box.shape();
  Array<float> image = stain_voxels(cell, contrast, raw_grid, box.grow(halo, halo));
  const Shape3 wide = image.shape();
  image =
      blur_along(image, {wide.z, wide.y, shape.x}, 1, gaussian_weights(contrast.blur_yx_nm / size.x, halo.x));
  image = blur_along(image, {wide.z, shape.y, shape.x}, shape.x,
                     gaussian_weights(contrast.blur_yx_nm / size.y, halo.y));
  image = blur_along(image, shape, shape.y * shape.x, gaussian_weights(contrast.blur_z_nm / size.z, halo.z));

  const std::uint64_t seed = mix64(cell.seed ^ 0x696d616765);
  const LatticeNoise drift(seed ^ kDrift, 30);
  const LatticeNoise curtain(seed ^ kCurtain, 4);
  const LatticeNoise wide_curtain(seed ^ kCurtainWide, 17);
  // Curtains are places in voxels: milling knows slices and stripes, not nanometres. They change slowly down
  // y.
  std::vector<double> columns;
  for (std::int64_t x = box.begin.x; x < box.end.x; ++x) columns.push_back(static_cast<double>(x));
  std::vector<float> stripes(columns.size());
  Array<std::uint8_t> output = Array<std::uint8_t>::uninitialized(shape);
  for (std::int64_t z = 0; z < shape.z; ++z) {
    const auto slice = static_cast<double>(box.begin.z + z);
    const float jitter = noise_at(seed ^ kJitter, {box.begin.z + z, 0, 0});
    const float brightness =
        contrast.drift * static_cast<float>(drift.at({slice, 0, 0})) + contrast.jitter * jitter;
    for (std::int64_t y = 0; y < shape.y; ++y) {
      const double down = 0.04 * static_cast<double>(box.begin.y + y);
      std::fill(stripes.begin(), stripes.end(), 0.0F);
      curtain.add_row(slice, down, columns, 0.6F * contrast.curtains, stripes);
      wide_curtain.add_row(3 * slice, down, columns, contrast.curtains, stripes);
      const float* row = image.data() + (z * shape.y + y) * shape.x;
      for (std::int64_t x = 0; x < shape.x; ++x) {
        const float grey = row[x] + brightness + stripes[static_cast<std::size_t>(x)];
        const float variance =
            contrast.read_noise * contrast.read_noise + contrast.shot_noise * std::max(grey, 0.0F);
        const float noisy = grey + std::sqrt(variance) * noise_at(seed ^ kNoise, box.begin + Index3{z, y, x});
        output.data()[(z * shape.y + y) * shape.x + x] =
            static_cast<std::uint8_t>(std::clamp(std::floor(noisy + 0.5F), 0.0F, 255.0F));
      }
    }
  }
  return output;
}

}  // namespace organon::phantom
