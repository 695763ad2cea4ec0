#include "flowkit/gather.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "column.hpp"
#include "guarded.hpp"
#include "parallel.hpp"
#include "view_buffers.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 4096;
constexpr std::int64_t null_row = -1;
constexpr std::size_t rows_ahead = 16;  // that are brought closer while others are copied

/// The rows that are taken, read piece by piece: numbers that were checked, or `null_row` where the
/// result is null.
class Taken {
 public:
  Taken(const Column& values, const Column& indices) : values_(values), indices_(indices) {
    std::int64_t start = 0;
    for (const Chunk& chunk : values.chunks()) {
      starts_.push_back(start);
      start += chunk.length();
    }
  }

  /// Finds what is null in the result; fails if an index is out of range.
  Status find_nulls(int threads) {
    if (values_.null_count() == 0 && indices_.null_count() == 0) {
      return {};
    }
    Values<std::uint8_t> bits(static_cast<std::size_t>((length() + 7) / 8), std::uint8_t{0});
    std::atomic<std::int64_t> null_count{0};
    Status status =
        for_pieces(threads, [&](std::int64_t begin, std::span<const std::int64_t> rows) {
          std::int64_t nulls = 0;
          for (std::size_t at = 0; at < rows.size(); ++at) {
            const auto valid = static_cast<unsigned>(rows[at] != null_row);
            nulls += 1 - static_cast<std::int64_t>(valid);
            bits[static_cast<std::size_t>(begin) / 8 + at / 8] |=
                static_cast<std::uint8_t>(valid << (at % 8));
          }
          null_count += nulls;
        });
    null_count_ = null_count;
    if (null_count_ != 0) {
      validity_ = Buffer(std::move(bits));
    }
    return status;
  }

  [[nodiscard]] std::int64_t length() const noexcept { return indices_.length(); }
  [[nodiscard]] std::int64_t null_count() const noexcept { return null_count_; }
  [[nodiscard]] const Buffer& validity() const noexcept { return validity_; }

  /// Calls `body(chunk, at, place)` for each place that is not null, on many threads: places that
  /// are less than `piece_rows` from a multiple of it on the same.
  template <typename Body>
  Status for_places(int threads, const Body& body) const {
    return for_pieces(threads, [&](std::int64_t place, std::span<const std::int64_t> rows) {
      for (std::size_t at = 0; at < rows.size(); ++at, ++place) {
        if (starts_.size() == 1 && at + rows_ahead < rows.size()) {
          const std::int64_t next = std::max<std::int64_t>(rows[at + rows_ahead], 0);
          __builtin_prefetch(values_.chunks()[0].values() + next * values_.type().width);
        }
        if (rows[at] != null_row) {
          const std::size_t chunk = chunk_of(rows[at]);
          body(values_.chunks()[chunk], rows[at] - starts_[chunk], place);
        }
      }
    });
  }

 private:
  template <typename Body>
  Status for_pieces(int threads, const Body& body) const {
    return in_parallel(length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
      std::array<std::int64_t, piece_rows> memory;
      const auto rows = std::span(memory).first(static_cast<std::size_t>(end - begin));
      with_integer(indices_.type(), "indices",
                   [&]<typename Index>(Index) { read_rows<Index>(begin, rows); });
      body(begin, rows);
    });
  }

  [[nodiscard]] std::size_t chunk_of(std::int64_t row) const noexcept {
    if (starts_.size() == 1) {
      return 0;
    }
    const auto behind = std::upper_bound(starts_.begin(), starts_.end(), row);
    return static_cast<std::size_t>(behind - starts_.begin()) - 1;
  }

  template <typename Index>
  void read_rows(std::int64_t begin, std::span<std::int64_t> rows) const {
    const auto row_count = static_cast<std::uint64_t>(values_.length());
    bool in_range = true;
    indices_.for_parts(
        begin, begin + std::ssize(rows),
        [&](const Chunk& chunk, std::int64_t at, std::int64_t last, std::int64_t place) {
          for (; at < last; ++at, ++place) {
            // A negative index is a large unsigned one.
            const auto row = static_cast<std::int64_t>(chunk.value<Index>(at));
            const bool is_null = chunk.is_null(at);
            in_range &= is_null || static_cast<std::uint64_t>(row) < row_count;
            rows[static_cast<std::size_t>(place - begin)] = is_null ? null_row : row;
          }
        });
    require(in_range, "indices: an index is not a row of the column");
    if (values_.null_count() != 0) {
      for (std::int64_t& row : rows) {
        if (row != null_row) {
          const std::size_t chunk = chunk_of(row);
          row = values_.chunks()[chunk].is_null(row - starts_[chunk]) ? null_row : row;
        }
      }
    }
  }

  const Column& values_;
  const Column& indices_;
  std::vector<std::int64_t> starts_;  // of the chunks
  Buffer validity_;
  std::int64_t null_count_ = 0;
};

Array make_result(const std::string& format, const Taken& taken, std::vector<Buffer> buffers) {
  auto node = std::make_shared<ArrayNode>();
  node->format = format;
  node->length = taken.length();
  node->null_count = taken.null_count();
  node->buffers = std::move(buffers);
  return Array(std::move(node));
}

Status gather_booleans(const Type& type, const Taken& taken, int threads, Array& out) {
  Values<std::uint8_t> bits(static_cast<std::size_t>((taken.length() + 7) / 8), std::uint8_t{0});
  Status status =
      taken.for_places(threads, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
        const auto bit = static_cast<unsigned>(chunk.boolean(at));
        bits[static_cast<std::size_t>(place / 8)] |= static_cast<std::uint8_t>(bit << (place % 8));
      });
  if (status.ok()) {
    out = make_result(type.format, taken, {taken.validity(), Buffer(std::move(bits))});
  }
  return status;
}

/// `width` is an integral constant where it is one of the usual sizes: then a copy is one move.
template <typename Width>
Status gather_fixed(const Type& type, Width width, const Taken& taken, int threads, Array& out) {
  Values<std::byte> values(static_cast<std::size_t>(taken.length() * width));
  const auto size = static_cast<std::size_t>(width);
  if (taken.null_count() != 0) {
    std::fill(values.begin(), values.end(), std::byte{0});
  }
  Status status =
      taken.for_places(threads, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
        std::memcpy(values.data() + place * width, chunk.values() + at * width, size);
      });
  if (status.ok()) {
    out = make_result(type.format, taken, {taken.validity(), Buffer(std::move(values))});
  }
  return status;
}

template <typename Offset>
Status gather_sliced(const Type& type, const Taken& taken, int threads, Array& out) {
  Values<Offset> offsets(static_cast<std::size_t>(taken.length()) + 1, Offset{0});
  Status status =
      taken.for_places(threads, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
        offsets[static_cast<std::size_t>(place) + 1] =
            static_cast<Offset>(chunk.sliced<Offset>(at).size());
      });
  if (!status.ok()) {
    return status;
  }
  std::int64_t total = 0;
  for (Offset& offset : offsets) {
    require(offset <= std::numeric_limits<Offset>::max() - total,
            "values: what is taken is too long together for the offsets of its type");
    total += offset;
    offset = static_cast<Offset>(total);
  }
  Values<char> data(static_cast<std::size_t>(total));
  status = taken.for_places(threads, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
    const std::string_view bytes = chunk.sliced<Offset>(at);
    std::copy_n(bytes.data(), bytes.size(), data.data() + offsets[static_cast<std::size_t>(place)]);
  });
  if (status.ok()) {
    out = make_result(type.format, taken,
                      {taken.validity(), Buffer(std::move(offsets)), Buffer(std::move(data))});
  }
  return status;
}

/// Copies what long views point to.
Status gather_views(const Type& type, const Taken& taken, Array& out) {
  Values<View> views(static_cast<std::size_t>(taken.length()), View{});
  ViewBuffers buffers;
  // One buffer is filled after the other: by one thread.
  Status status = taken.for_places(1, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
    auto view = chunk.value<View>(at);
    if (view.size > View::longest_inline) {
      const ViewBuffers::Place copied = buffers.add(chunk.viewed(at));
      view.buffer = copied.buffer;
      view.offset = copied.offset;
    }
    views[static_cast<std::size_t>(place)] = view;
  });
  if (!status.ok()) {
    return status;
  }
  std::vector<Buffer> made{taken.validity(), Buffer(std::move(views))};
  Values<std::int64_t> sizes;
  for (Values<char>& buffer : std::move(buffers).take()) {
    sizes.push_back(std::ssize(buffer));
    made.emplace_back(std::move(buffer));
  }
  made.emplace_back(std::move(sizes));
  out = make_result(type.format, taken, std::move(made));
  return {};
}

template <std::int64_t width>
using Fixed = std::integral_constant<std::int64_t, width>;

Status gather_by_type(const Type& type, const Taken& taken, int threads, Array& out) {
  if (type.is_view()) {
    return gather_views(type, taken, out);
  }
  if (type.kind >= Kind::utf8) {
    return type.width == 4 ? gather_sliced<std::int32_t>(type, taken, threads, out)
                           : gather_sliced<std::int64_t>(type, taken, threads, out);
  }
  if (type.kind == Kind::boolean) {
    return gather_booleans(type, taken, threads, out);
  }
  switch (type.width) {
    case 1:
      return gather_fixed(type, Fixed<1>(), taken, threads, out);
    case 2:
      return gather_fixed(type, Fixed<2>(), taken, threads, out);
    case 4:
      return gather_fixed(type, Fixed<4>(), taken, threads, out);
    case 8:
      return gather_fixed(type, Fixed<8>(), taken, threads, out);
    case 16:
      return gather_fixed(type, Fixed<16>(), taken, threads, out);
    default:
      require(taken.length() <= std::numeric_limits<std::int64_t>::max() / type.width,
              "values: what is taken is too long together");
      return gather_fixed(type, type.width, taken, threads, out);
  }
}

}  // namespace

Status gather(const Chunks& values, const Chunks& indices, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    require(threads >= 1 && threads <= most_threads, "threads must be between 1 and 4096");
    const Column column(values, "values");
    const Column rows(indices, "indices");
    Taken taken(column, rows);
    Status status = taken.find_nulls(threads);
    return status.ok() ? gather_by_type(column.type(), taken, threads, out) : status;
  });
}

}  // namespace flowkit
