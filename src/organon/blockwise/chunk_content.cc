#include "organon/blockwise/chunk_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <system_error>

#include "organon/base/error.h"
#include "organon/base/files.h"
#include "organon/base/json.h"
#include "organon/blockwise/journal.h"
#include "organon/blockwise/outputs.h"
#include "organon/blockwise/run_folder.h"
#include "organon/blockwise/verify.h"
#include "organon/storage/json_fields.h"

namespace organon::blockwise {
namespace {

constexpr std::size_t kHexDigits = 32;  // of a hash

// The part of a dataset of `shape` that reading `box` depends on. Beyond its ends a mirror brings in voxels
// as far inside as the box reaches outside.
Box part_read(const Box& box, const Shape3& shape) {
  const auto clip = [](std::int64_t begin, std::int64_t end, std::int64_t size) {
    const std::int64_t below = begin < 0 ? -begin + 1 : 0;
    const std::int64_t above = end > size ? size - 1 - (end - size) : size;
    return std::pair(std::max<std::int64_t>(std::min(begin, above), 0), std::min(std::max(end, below), size));
  };
  const auto [z0, z1] = clip(box.begin.z, box.end.z, shape.z);
  const auto [y0, y1] = clip(box.begin.y, box.end.y, shape.y);
  const auto [x0, x1] = clip(box.begin.x, box.end.x, shape.x);
  return {{z0, y0, x0}, {z1, y1, x1}};
}

}  // namespace

std::string kind_of(const storage::DatasetSpec& spec) {
  const SizeNm& size = spec.grid.voxel_size_nm;
  const PointNm& offset = spec.grid.offset_nm;
  return fmt::format("{} {} {} {} {} {} | {} {} {} | {} {} {}", to_string(spec.chunk_shape),
                     to_string(spec.shard_shape), to_string(spec.data_type), storage::to_string(spec.codec),
                     spec.level, spec.fill_value, size.z, size.y, size.x, offset.z, offset.y, offset.x) +
         (spec.channels.shape.empty() ? ""
                                      : fmt::format(" | channels {} #{}", fmt::join(spec.channels.shape, ","),
                                                    spec.channels.chosen.value_or(-1)));
}

void fill_from_journals(const std::filesystem::path& step_folder, std::size_t output, ChunkContent& content) {
  const BlockGrid grid = content.chunks();
  const Box positions = Box::of_shape(grid.num_cells());
  std::set<std::int64_t> blocks;
  JournalReader(step_folder).poll([&](const JournalRecord& record) {
    if (record.kind != JournalRecord::Kind::kCompleted || !blocks.insert(record.block).second) return;
    for (const auto& [number, chunk] : record.chunks) {
      if (number == output && !chunk.is_absent && positions.contains(chunk.position))
        content.at(grid, chunk.position) = chunk.voxels;
    }
  });
}

ChunkContent content_of_input(const std::string& address) {
  const auto dataset = storage::open_dataset(address);
  ChunkContent content =
      ChunkContent::of(dataset->spec().shape, stored_shape(dataset->spec()), kind_of(dataset->spec()));
  const Json attributes = dataset->attributes();
  if (const auto run = find_run_of(address);
      run && attributes.contains("organon") && attributes["organon"].is_object()) {
    const auto completion = run->read_completion();
    if (completion && attributes["organon"].value("identity", "") == completion->identity) {
      for (std::size_t step = 0; std::filesystem::exists(run->step(step)); ++step) {
        const auto number = output_number(*run, step, address);
        if (!number) continue;
        fill_from_journals(run->step(step), *number, content);
        return content;
      }
    }
  }
  const BlockGrid grid = content.chunks();
  for (std::int64_t id = 0; id < grid.count(); ++id) {
    const auto path = dataset->chunk_file(grid.position_of(id));
    if (!path) throw Error(ErrorKind::kUnsupported, fmt::format("{}: its chunks are no files", address));
    std::error_code missing;
    const std::filesystem::directory_entry file(*path, missing);
    if (missing || !file.exists()) continue;
    content.of_chunk[static_cast<std::size_t>(id)] =
        hash_text(fmt::format("{} {}", file.file_size(), file.last_write_time().time_since_epoch().count()));
  }
  return content;
}

void write_content(const std::filesystem::path& file, const ChunkContent& content) {
  const std::string head =
      Json({{"shape", storage::to_json(content.shape, storage::AxisOrder::kZyx)},
            {"chunk_shape", storage::to_json(content.chunk_shape, storage::AxisOrder::kZyx)},
            {"kind", content.kind}})
          .dump() +
      "\n";
  const auto append = [](std::vector<std::byte>& bytes, std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  std::vector<std::byte> body;
  append(body, std::as_bytes(std::span(head)));
  append(body, std::as_bytes(std::span(content.of_chunk)));
  const std::string hash = to_hex(hash_bytes(body));
  std::vector<std::byte> bytes;
  append(bytes, std::as_bytes(std::span(hash)));
  append(bytes, body);
  write_file_atomically(file, bytes, Fsync::kYes);
}

std::optional<ChunkContent> read_content(const std::filesystem::path& file) {
  const auto bytes = read_file_if_exists(file);
  if (!bytes || bytes->size() < kHexDigits) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const std::string_view body = text.substr(kHexDigits);
  if (to_hex(hash_bytes(std::as_bytes(std::span(body)))) != text.substr(0, kHexDigits)) return std::nullopt;
  const std::size_t head_bytes = body.find('\n') + 1;
  const std::string_view hashes = body.substr(head_bytes);
  const Json head = parse_json(body.substr(0, head_bytes), file.string());
  const auto shape_in = [&](const char* key) {
    return storage::shape_of(head.at(key), storage::AxisOrder::kZyx, file.string());
  };
  const Shape3 shape = shape_in("shape");
  const Shape3 chunk_shape = shape_in("chunk_shape");
  const auto num_chunks = static_cast<std::size_t>(BlockGrid(Box::of_shape(shape), chunk_shape).count());
  if (hashes.size() / sizeof(Hash128) != num_chunks || hashes.size() % sizeof(Hash128) != 0)
    return std::nullopt;
  ChunkContent content = ChunkContent::of(shape, chunk_shape, head.at("kind"));
  if (!hashes.empty()) std::memcpy(content.of_chunk.data(), hashes.data(), hashes.size());
  return content;
}

bool has_same_content(const ChunkContent& before, const ChunkContent& now, const Box& box) {
  const Box part = part_read(box, now.shape);
  if (part != part_read(box, before.shape)) return false;
  if (part.empty()) return true;
  const BlockGrid chunks = now.chunks();
  const BlockGrid chunks_before = before.chunks();
  const Box positions = chunks.positions_touching(part);
  const BlockGrid each(Box::of_shape(positions.shape()), {1, 1, 1});
  for (std::int64_t i = 0; i < each.count(); ++i) {
    const Index3 position = positions.begin + each.position_of(i);
    if (now.of_chunk[static_cast<std::size_t>(chunks.id_of(position))] !=
        before.of_chunk[static_cast<std::size_t>(chunks_before.id_of(position))])
      return false;
  }
  return true;
}

}  // namespace organon::blockwise
