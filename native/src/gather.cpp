#include "flowkit/gather.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "column.hpp"
#include "guarded.hpp"
#include "parallel.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 1 << 14;
constexpr std::int64_t null_row = -1;

/// The rows that are taken: numbers that were checked, or `null_row` where the result is null.
class Taken {
 public:
  Taken(const Column& values, const Column& indices)
      : values_(values), indices_(indices), rows_(static_cast<std::size_t>(indices.length())) {
    std::int64_t start = 0;
    for (const Chunk& chunk : values.chunks()) {
      starts_.push_back(start);
      start += chunk.length();
    }
  }

  /// Reads the indices; fails if one is out of range.
  Status read(int threads) {
    std::atomic<std::int64_t> null_count{0};
    Status status;
    with_integer(indices_.type(), "indices", [&]<typename Index>(Index) {
      status =
          in_parallel(length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
            null_count += read_piece<Index>(begin, end);
          });
    });
    null_count_ = null_count;
    return status;
  }

  [[nodiscard]] std::int64_t length() const noexcept { return indices_.length(); }
  [[nodiscard]] std::int64_t null_count() const noexcept { return null_count_; }

  /// Calls `body(chunk, at, place)` for each place in [begin, end) that is not null.
  template <typename Body>
  void for_places(std::int64_t begin, std::int64_t end, const Body& body) const {
    for (std::int64_t place = begin; place < end; ++place) {
      const std::int64_t row = rows_[static_cast<std::size_t>(place)];
      if (row != null_row) {
        const std::size_t chunk = chunk_of(row);
        body(values_.chunks()[chunk], row - starts_[chunk], place);
      }
    }
  }

  /// Returns the bitmap of the result; an empty buffer if nothing is null.
  [[nodiscard]] Buffer validity() const {
    if (null_count_ == 0) {
      return {};
    }
    Values<std::uint8_t> bits((rows_.size() + 7) / 8, std::uint8_t{0});
    for (std::size_t place = 0; place < rows_.size(); ++place) {
      const auto valid = static_cast<unsigned>(rows_[place] != null_row);
      bits[place / 8] |= static_cast<std::uint8_t>(valid << (place % 8));
    }
    return Buffer(std::move(bits));
  }

 private:
  [[nodiscard]] std::size_t chunk_of(std::int64_t row) const noexcept {
    if (starts_.size() == 1) {
      return 0;
    }
    const auto behind = std::upper_bound(starts_.begin(), starts_.end(), row);
    return static_cast<std::size_t>(behind - starts_.begin()) - 1;
  }

  template <typename Index>
  std::int64_t read_piece(std::int64_t begin, std::int64_t end) {
    const auto row_count = static_cast<std::uint64_t>(values_.length());
    const bool has_nulls = values_.null_count() != 0;
    std::int64_t null_count = 0;
    indices_.for_parts(
        begin, end,
        [&](const Chunk& chunk, std::int64_t at, std::int64_t last, std::int64_t place) {
          for (; at < last; ++at, ++place) {
            std::int64_t& row = rows_[static_cast<std::size_t>(place)];
            row = null_row;
            if (!chunk.is_null(at)) {
              // A negative index is a large unsigned one.
              row = static_cast<std::int64_t>(chunk.value<Index>(at));
              require(static_cast<std::uint64_t>(row) < row_count,
                      "indices: an index is not a row of the column");
              if (has_nulls) {
                const std::size_t from = chunk_of(row);
                row = values_.chunks()[from].is_null(row - starts_[from]) ? null_row : row;
              }
            }
            null_count += static_cast<std::int64_t>(row == null_row);
          }
        });
    return null_count;
  }

  const Column& values_;
  const Column& indices_;
  std::vector<std::int64_t> starts_;  // of the chunks
  Values<std::int64_t> rows_;
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
      in_parallel(taken.length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
        taken.for_places(begin, end, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
          const auto bit = static_cast<unsigned>(chunk.boolean(at));
          bits[static_cast<std::size_t>(place / 8)] |=
              static_cast<std::uint8_t>(bit << (place % 8));
        });
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
  Status status =
      in_parallel(taken.length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
        if (taken.null_count() != 0) {
          std::memset(values.data() + begin * width, 0,
                      static_cast<std::size_t>((end - begin) * width));
        }
        taken.for_places(begin, end, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
          std::memcpy(values.data() + place * width, chunk.values() + at * width, size);
        });
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
      in_parallel(taken.length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
        taken.for_places(begin, end, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
          offsets[static_cast<std::size_t>(place) + 1] =
              static_cast<Offset>(chunk.sliced<Offset>(at).size());
        });
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
  status =
      in_parallel(taken.length(), piece_rows, threads, [&](std::int64_t begin, std::int64_t end) {
        taken.for_places(begin, end, [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
          const std::string_view bytes = chunk.sliced<Offset>(at);
          std::copy_n(bytes.data(), bytes.size(),
                      data.data() + offsets[static_cast<std::size_t>(place)]);
        });
      });
  if (status.ok()) {
    out = make_result(type.format, taken,
                      {taken.validity(), Buffer(std::move(offsets)), Buffer(std::move(data))});
  }
  return status;
}

/// Copies what long views point to, into buffers as large as their offsets can tell.
Array gather_views(const Type& type, const Taken& taken) {
  Values<View> views(static_cast<std::size_t>(taken.length()), View{});
  std::vector<Values<char>> buffers;
  taken.for_places(0, taken.length(), [&](const Chunk& chunk, std::int64_t at, std::int64_t place) {
    auto view = chunk.value<View>(at);
    if (view.size > View::longest_inline) {
      const std::string_view bytes = chunk.viewed(at);
      constexpr std::size_t largest = std::numeric_limits<std::int32_t>::max();
      if (buffers.empty() || bytes.size() > largest - buffers.back().size()) {
        buffers.emplace_back();
      }
      view.buffer = static_cast<std::int32_t>(buffers.size() - 1);
      view.offset = static_cast<std::int32_t>(buffers.back().size());
      buffers.back().insert(buffers.back().end(), bytes.begin(), bytes.end());
    }
    views[static_cast<std::size_t>(place)] = view;
  });
  std::vector<Buffer> made{taken.validity(), Buffer(std::move(views))};
  Values<std::int64_t> sizes;
  for (Values<char>& buffer : buffers) {
    sizes.push_back(std::ssize(buffer));
    made.emplace_back(std::move(buffer));
  }
  made.emplace_back(std::move(sizes));
  return make_result(type.format, taken, std::move(made));
}

template <std::int64_t width>
using Fixed = std::integral_constant<std::int64_t, width>;

Status gather_by_type(const Type& type, const Taken& taken, int threads, Array& out) {
  if (type.is_view()) {
    out = gather_views(type, taken);
    return {};
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
    const Column column(values, "values");
    const Column rows(indices, "indices");
    Taken taken(column, rows);
    Status status = taken.read(threads);
    return status.ok() ? gather_by_type(column.type(), taken, threads, out) : status;
  });
}

}  // namespace flowkit
