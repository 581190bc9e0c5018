#include "organon/blockwise/object_numbers.h"

#include <algorithm>
#include <limits>

#include "organon/base/cancellation.h"
#include "organon/base/error.h"
#include "organon/voxel/relabel.h"

namespace organon::blockwise {
namespace {

// Of the number of objects, among the partials of the solve.
constexpr std::int64_t kCountKey = -1;

// Per label of a block, the row of its first voxel: its raster index divided by the block's width.
constexpr std::uint32_t kDropped = std::numeric_limits<std::uint32_t>::max();
std::int64_t rows_key(std::int64_t block) { return further_key(block, 0); }

// What the solve tells of an open label of a block, under the block's id, in order of label; and of the rows
// in which objects begin, in order of row.
struct OpenNumber {
  std::uint32_t label = 0;
  std::uint32_t is_first = 0;  // the object begins here
  std::uint64_t number = 0;    // 0: dropped
};
struct RowStart {
  std::uint32_t row = 0;
  std::uint32_t unused = 0;  // so that all bytes are known
  std::uint64_t number = 0;  // of the first object that begins in the row
};
std::int64_t row_starts_key(std::int64_t block) { return further_key(block, 0); }

// Calls use(label, row, open) for the labels of a block that are objects' or may be, in order of label, which
// is raster order of first voxels. `open` is the index of the label among the open ones, or -1.
template <class Use>
void for_each_label(const std::vector<std::uint32_t>& rows, std::span<const std::uint32_t> open_labels,
                    const Use& use) {
  std::size_t open = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool is_open = open < open_labels.size() && open_labels[open] == i + 1;
    if (rows[i] != kDropped) use(i + 1, rows[i], is_open ? static_cast<std::int64_t>(open) : -1);
    if (is_open) ++open;
  }
}

std::vector<std::uint32_t> rows_of(const PartialReader& pieces, std::int64_t block) {
  const auto bytes = pieces.read(rows_key(block));
  return bytes ? values_of<std::uint32_t>(*bytes) : std::vector<std::uint32_t>();
}

// How many objects begin in a row of a block; later the number of the first of them.
struct Row {
  std::uint64_t start = 0;  // raster_key() of its first voxel: the order of rows is that of their objects
  std::uint64_t objects = 0;
};

class Numbering {
 public:
  Numbering(const BlockGrid& blocks, const PartialReader& pieces, const PartialReader& joins,
            const std::function<bool(const ComponentPiece&)>& is_kept)
      : blocks_(blocks), pieces_(pieces), resolved_(resolve_components(pieces, joins)) {
    numbers_.reserve(resolved_.components.size());
    for (const ComponentPiece& component : resolved_.components)
      numbers_.push_back(is_kept(component) ? kNotYet : 0);
  }

  void emit(BlockOutput& output) {
    // Objects that begin in a layer of blocks along z come before those that begin in the next.
    const std::int64_t layer = blocks_.num_cells().y * blocks_.num_cells().x;
    for (std::int64_t first = 0; first < blocks_.count(); first += layer) {
      std::vector<Row> rows;
      for (std::int64_t block = first; block < first + layer; ++block) count(block, rows);
      std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.start < b.start; });
      for (Row& row : rows) {
        const std::uint64_t objects = row.objects;
        row.objects = next_;
        next_ += objects;
      }
      for (std::int64_t block = first; block < first + layer; ++block) emit_rows(block, rows, output);
      for (std::int64_t block = first; block < first + layer; ++block) emit_open(block, output);
      throw_if_cancelled();
    }
    output.emit(kCountKey, bytes_of(std::vector<std::uint64_t>{next_ - 1}));
  }

 private:
  static constexpr std::uint64_t kNotYet = std::numeric_limits<std::uint64_t>::max();

  std::span<const std::uint32_t> open_labels(std::int64_t block) const {
    const auto [begin, end] = resolved_.pieces_of(block);
    return std::span(resolved_.labels).subspan(begin, end - begin);
  }
  std::uint32_t component_of(std::int64_t block, std::int64_t open) const {
    return resolved_.component_of[resolved_.pieces_of(block).first + static_cast<std::uint64_t>(open)];
  }
  // Whether an open piece has the first voxel of its component.
  bool is_first(std::int64_t block, std::int64_t open) const {
    const ComponentPiece& component = resolved_.components[component_of(block, open)];
    return component.label == open_labels(block)[static_cast<std::size_t>(open)] &&
           blocks_.box_of(block).contains(voxel_of_raster_key(component.first_voxel));
  }
  std::uint64_t start_of_row(std::int64_t block, std::uint32_t row) const {
    const Box box = blocks_.box_of(block);
    const std::int64_t height = box.shape().y;
    return raster_key(box.begin + Index3{row / height, row % height, 0});
  }

  // Calls use(row, component) for each object that begins in the block; component -1: of a closed one.
  template <class Use>
  void for_each_beginning(std::int64_t block, const Use& use) const {
    const std::vector<std::uint32_t> rows = rows_of(pieces_, block);
    for_each_label(rows, open_labels(block), [&](std::size_t, std::uint32_t row, std::int64_t open) {
      if (open < 0) return use(row, std::int64_t{-1});
      const std::uint32_t component = component_of(block, open);
      if (numbers_[component] != 0 && is_first(block, open)) use(row, std::int64_t{component});
    });
  }

  void count(std::int64_t block, std::vector<Row>& rows) const {
    std::uint32_t last = kDropped;
    for_each_beginning(block, [&](std::uint32_t row, std::int64_t) {
      if (row != last) rows.push_back({start_of_row(block, row), 0});
      last = row;
      ++rows.back().objects;
    });
  }

  void emit_rows(std::int64_t block, const std::vector<Row>& rows, BlockOutput& output) {
    std::vector<RowStart> starts;
    std::uint64_t number = 0;
    for_each_beginning(block, [&](std::uint32_t row, std::int64_t component) {
      if (starts.empty() || starts.back().row != row) {
        const std::uint64_t start = start_of_row(block, row);
        number = std::lower_bound(rows.begin(), rows.end(), start, [](const Row& a, std::uint64_t b) {
                   return a.start < b;
                 })->objects;
        starts.push_back({row, 0, number});
      }
      if (component >= 0) numbers_[static_cast<std::size_t>(component)] = number;
      ++number;
    });
    if (!starts.empty()) output.emit(row_starts_key(block), bytes_of(starts));
  }

  void emit_open(std::int64_t block, BlockOutput& output) const {
    std::vector<OpenNumber> open;
    const std::span<const std::uint32_t> labels = open_labels(block);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      open.push_back({labels[i], is_first(block, index) ? 1U : 0U, numbers_[component_of(block, index)]});
    }
    if (!open.empty()) output.emit(block, bytes_of(open));
  }

  const BlockGrid& blocks_;
  const PartialReader& pieces_;
  ResolvedComponents resolved_;
  std::vector<std::uint64_t> numbers_;  // per component
  std::uint64_t next_ = 1;
};

}  // namespace

void leave_components(const Block& block, const Box& domain, const voxel::Components& found,
                      ArrayView<const std::uint32_t> labels,
                      const std::function<bool(const voxel::Component&)>& is_kept, BlockOutput& output) {
  const Box& box = block.write_box;
  const std::vector<bool> is_open = find_open(labels, found.count(), box, domain);
  std::vector<ComponentPiece> open;
  std::vector<std::uint32_t> rows(found.components.size(), kDropped);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_open[i]) open.push_back(piece_of(found, i, box));
    if (is_open[i] || is_kept(found.components[i]))
      rows[i] = static_cast<std::uint32_t>(found.components[i].first_voxel / box.shape().x);
  }
  if (std::all_of(rows.begin(), rows.end(), [](std::uint32_t row) { return row == kDropped; })) return;
  output.write<std::uint32_t>(0, box, labels);
  if (!open.empty()) output.emit(block.id, bytes_of(open));
  output.emit(rows_key(block.id), bytes_of(rows));
}

StepPlan numbering_plan(const BlockGrid& blocks, const PartialReader& pieces, const PartialReader& joins) {
  StepPlan plan = resolving_plan(pieces, joins);
  std::int64_t num_open = 0, num_labels = 0, most_labels = 0;
  for (const std::int64_t key : pieces.keys()) {
    num_open += key >= 0 ? pieces.num_bytes(key) / static_cast<std::int64_t>(sizeof(ComponentPiece)) : 0;
    if (key >= 0 || rows_key(block_of_further_key(key)) != key) continue;
    const std::int64_t labels = pieces.num_bytes(key) / static_cast<std::int64_t>(sizeof(std::uint32_t));
    num_labels += labels;
    most_labels = std::max(most_labels, labels);
  }
  const std::int64_t rows_in_layer = blocks.num_cells().x * blocks.domain().shape().y *
                                     std::min(blocks.cell_shape().z, blocks.domain().shape().z);
  constexpr auto kRowBytes = static_cast<std::int64_t>(sizeof(Row));
  // Numbers of open components; rows in a vector that grows; rows, starts and numbers of one block.
  plan.bytes_per_worker +=
      8 * num_open + 3 * kRowBytes * std::min(num_labels, rows_in_layer) + 64 * most_labels;
  plan.bytes_read += 8 * num_labels;
  return plan;
}

void number_objects(const BlockGrid& blocks, const PartialReader& pieces, const PartialReader& joins,
                    const std::function<bool(const ComponentPiece&)>& is_kept, BlockOutput& output) {
  Numbering(blocks, pieces, joins, is_kept).emit(output);
}

LookUpNumbers::LookUpNumbers(const std::function<StepPlan(DataType)>& plan_of, const std::string& labels,
                             const std::filesystem::path& pieces, const std::filesystem::path& numbers)
    : pieces_(pieces),
      numbers_(numbers),
      labels_(storage::open_dataset(labels)),
      type_(smallest_unsigned_type(values_of<std::uint64_t>(numbers_.read(kCountKey).value()).at(0))),
      plan_(plan_of(type_)) {
  plan_.reads(labels_->address());
  // The number of all objects makes the output's type, nothing else.
  plan_.partials.push_back({pieces, [](const Block& block) { return std::vector{rows_key(block.id)}; }});
  plan_.partials.push_back({numbers, [](const Block& block) {
                              return std::vector{block.id, row_starts_key(block.id)};
                            }});
  plan_.reuse = Reuse::kAnywhere;
}

std::vector<std::uint64_t> LookUpNumbers::numbers_of(const Block& block) const {
  const auto of_key = [&]<class T>(std::int64_t key, T) {
    const auto bytes = numbers_.read(key);
    return bytes ? values_of<T>(*bytes) : std::vector<T>();
  };
  const std::vector<std::uint32_t> rows = rows_of(pieces_, block.id);
  const std::vector<OpenNumber> open = of_key(block.id, OpenNumber{});
  const std::vector<RowStart> starts = of_key(row_starts_key(block.id), RowStart{});
  std::vector<std::uint32_t> open_labels;
  for (const OpenNumber& one : open) open_labels.push_back(one.label);

  std::vector<std::uint64_t> numbers(rows.size() + 1, 0);  // background stays background
  auto row_start = starts.begin();
  std::uint64_t beginning = 0;  // how many objects of the row so far
  for_each_label(rows, open_labels, [&](std::size_t label, std::uint32_t row, std::int64_t open_index) {
    if (open_index >= 0) {
      const OpenNumber& one = open[static_cast<std::size_t>(open_index)];
      numbers[label] = one.number;
      if (one.is_first == 0 || one.number == 0) return;
    }
    if (row_start != starts.end() && row_start->row != row) {
      ++row_start;
      beginning = 0;
    }
    if (row_start == starts.end() || row_start->row != row)
      throw Error(ErrorKind::kCorruptData, "an object begins where none was counted");
    const std::uint64_t number = row_start->number + beginning++;
    if (open_index >= 0 && numbers[label] != number)
      throw Error(ErrorKind::kCorruptData, "an object has two numbers");
    numbers[label] = number;
  });
  return numbers;
}

void LookUpNumbers::process(const Block& block, BlockOutput& output) const {
  AnyArray result(type_, block.write_box.shape());
  const std::vector<std::uint64_t> numbers = numbers_of(block);
  if (std::all_of(numbers.begin(), numbers.end(), [](std::uint64_t number) { return number == 0; })) {
    std::fill(result.bytes().begin(), result.bytes().end(), std::byte{0});
    output.write(0, block.write_box, result);
    return;
  }
  const Array<std::uint32_t> labels = labels_->read_as<std::uint32_t>(block.write_box);
  dispatch(type_, [&](auto zero) {
    using Id = decltype(zero);
    if constexpr (std::is_unsigned_v<Id>) {
      const std::vector<Id> ids(numbers.begin(), numbers.end());
      voxel::relabel<Id>(labels, ids, result.view<Id>());
    }
  });
  output.write(0, block.write_box, result);
}

}  // namespace organon::blockwise
