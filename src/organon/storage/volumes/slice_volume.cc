#include "organon/storage/volumes/slice_volume.h"

#include "organon/storage/images/slice_stack.h"
#include "organon/storage/images/tiff_codec.h"
#include "organon/storage/volumes/header_text.h"
#include "organon/storage/volumes/tiff_description.h"

namespace organon::storage {
namespace {

bool is_png(const std::filesystem::path& path) { return lower_case(path.extension().string()) == ".png"; }

VolumeInfo info_of(const SliceStack& stack) {
  VolumeInfo info;
  const std::filesystem::path& first = stack.files[0].path;
  info.format = is_png(first) ? "png slices" : "tiff slices";
  info.shape = stack.shape;
  info.type = stack.type;
  if (!is_png(first)) info.stated = parse_tiff_description(TiffFile(first).tags());
  info.num_files = static_cast<std::int64_t>(stack.files.size());
  for (const auto& file : stack.files)
    info.file_bytes += static_cast<std::int64_t>(std::filesystem::file_size(file.path));
  info.working_bytes = 2 * stack.shape.y * stack.shape.x * static_cast<std::int64_t>(size_of(stack.type));
  return info;
}

class SliceVolume : public VolumeSource {
 public:
  explicit SliceVolume(SliceStack stack) : VolumeSource(info_of(stack)), stack_(std::move(stack)) {}

 protected:
  void read(std::int64_t z_begin, AnyArray& slab) override {
    slab = read_slab(stack_, z_begin, z_begin + slab.shape().z);
  }

 private:
  SliceStack stack_;
};

}  // namespace

std::unique_ptr<VolumeSource> open_slice_volume(const std::filesystem::path& folder_or_file, SliceGaps gaps) {
  return std::make_unique<SliceVolume>(open_slice_stack(folder_or_file, gaps));
}

}  // namespace organon::storage
