#include "flowkit/partition.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "column.hpp"
#include "guarded.hpp"
#include "parallel.hpp"
#include "scatter.hpp"

namespace flowkit {
namespace {

/// Below this, starting threads costs more than they save.
constexpr std::int64_t fewest_rows_a_piece = 1 << 17;

/// So many partitions are counted even if there are fewer rows; for more of them, memory would be
/// taken that has nothing to do with what came in.
constexpr std::int64_t most_empty = 1 << 20;

/// Rows that one thread counts and places, and for each partition how many rows it has there; then
/// where its next row goes.
struct Piece {
  std::int64_t begin;
  std::int64_t end;
  std::vector<std::int64_t> places;
};

template <typename Code>
void count_codes(const Chunk& chunk, std::int64_t begin, std::int64_t end,
                 std::vector<std::int64_t>& places) {
  for (std::int64_t at = begin; at < end; ++at) {
    // A negative code is a large unsigned one.
    const auto code = static_cast<std::uint64_t>(static_cast<std::int64_t>(chunk.value<Code>(at)));
    if (code >= places.size()) [[unlikely]] {
      throw InvalidData("codes: a code is not in [0, count)");
    }
    ++places[code];
  }
}

template <typename Code>
void place_rows(const Chunk& chunk, std::int64_t begin, std::int64_t end, std::int64_t row,
                Scatter& scatter) noexcept {
  for (std::int64_t at = begin; at < end; ++at) {
    scatter.put(static_cast<std::size_t>(chunk.value<Code>(at)), static_cast<std::int32_t>(row++));
  }
}

std::vector<Piece> cut(std::int64_t rows, std::int64_t count, int threads) {
  require(threads >= 1 && threads <= most_threads, "threads must be between 1 and 4096");
  // As many pieces as threads, but never so many that their counts outgrow the rows.
  const std::int64_t size = std::max({fewest_rows_a_piece, count, (rows - 1) / threads + 1});
  std::vector<Piece> pieces;
  for (std::int64_t begin = 0; begin < rows; begin += size) {
    pieces.push_back({begin, std::min(rows, begin + size),
                      std::vector<std::int64_t>(static_cast<std::size_t>(count))});
  }
  return pieces;
}

/// Turns counts into places, and returns where partitions start.
Values<std::int64_t> sum_up(std::vector<Piece>& pieces, std::int64_t count) {
  Values<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(count + 1));
  std::int64_t total = 0;
  for (std::size_t code = 0; code < static_cast<std::size_t>(count); ++code) {
    offsets.push_back(total);
    for (Piece& piece : pieces) {
      total += std::exchange(piece.places[code], total);
    }
  }
  offsets.push_back(total);
  return offsets;
}

template <typename Code>
Status sort(const Column& column, std::int64_t count, int threads,
            Values<std::int32_t>& permutation, Values<std::int64_t>& offsets) {
  std::vector<Piece> pieces = cut(column.length(), count, threads);
  const auto for_pieces = [&](const auto& body) {
    return in_parallel(std::ssize(pieces), 1, threads, [&](std::int64_t at, std::int64_t) {
      body(pieces[static_cast<std::size_t>(at)]);
    });
  };
  Status status = for_pieces([&](Piece& piece) {
    column.for_parts(piece.begin, piece.end,
                     [&](const Chunk& chunk, std::int64_t begin, std::int64_t end, std::int64_t) {
                       count_codes<Code>(chunk, begin, end, piece.places);
                     });
  });
  if (!status.ok()) {
    return status;
  }
  offsets = sum_up(pieces, count);
  permutation.resize(static_cast<std::size_t>(column.length()));
  return for_pieces([&](Piece& piece) {
    Scatter scatter(piece.places, permutation.data());
    column.for_parts(piece.begin, piece.end,
                     [&](const Chunk& chunk, std::int64_t begin, std::int64_t end,
                         std::int64_t row) { place_rows<Code>(chunk, begin, end, row, scatter); });
    scatter.finish();
  });
}

}  // namespace

Status partition_permutation(const Chunks& codes, std::int64_t count, int threads,
                             Array& permutation, Array& offsets) noexcept {
  return guarded([&]() -> Status {
    require(count >= 0, "count must not be negative");
    const Column column(codes, "codes");
    require(column.null_count() == 0, "codes: a null has no partition");
    require(column.length() <= std::numeric_limits<std::int32_t>::max(),
            "codes: at most 2147483647 rows are permuted at once");
    require(count <= std::max(most_empty, column.length()),
            "count must be at most the number of rows, or 1048576 if those are fewer; number only "
            "the partitions that occur");
    Values<std::int32_t> rows;
    Values<std::int64_t> starts;
    Status status;
    with_integer(column.type(), "partition_permutation", [&]<typename Code>(Code) {
      status = sort<Code>(column, count, threads, rows, starts);
    });
    if (status.ok()) {
      permutation = make_array("i", column.length(), std::move(rows));
      offsets = make_array("l", count + 1, std::move(starts));
    }
    return status;
  });
}

}  // namespace flowkit
