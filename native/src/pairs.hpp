#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "array_node.hpp"
#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace flowkit {

/// Checked indices of pairs.
class PairIndices {
 public:
  /// `left_rows` and `right_rows` are the lengths of the columns that the pairs are of.
  PairIndices(const Pairs& pairs, std::int64_t left_rows, std::int64_t right_rows)
      : left_(pairs.left_index, "left_index"),
        right_(pairs.right_index, "right_index"),
        left_rows_(left_rows),
        right_rows_(right_rows) {
    require(left_.length() == right_.length(), "left_index and right_index differ in length");
    require(left_.null_count() == 0 && right_.null_count() == 0, "an index is null");
  }

  [[nodiscard]] std::int64_t size() const noexcept { return left_.length(); }

  /// Reads the indices of pairs from `begin` on; throws InvalidData if one is out of range.
  void read(std::int64_t begin, std::span<std::uint32_t> left,
            std::span<std::uint32_t> right) const {
    read(left_, "left_index", left_rows_, begin, left);
    read(right_, "right_index", right_rows_, begin, right);
  }

 private:
  static void read(const Column& column, std::string_view name, std::int64_t rows,
                   std::int64_t begin, std::span<std::uint32_t> out) {
    bool in_range = true;
    with_integer(column.type(), name, [&]<typename Index>(Index) {
      column.for_parts(
          begin, begin + std::ssize(out),
          [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t pair) {
            for (std::uint32_t* place = out.data() + (pair - begin); at < end; ++at) {
              // A negative index is a large unsigned one.
              const auto index =
                  static_cast<std::uint64_t>(static_cast<std::int64_t>(chunk.value<Index>(at)));
              in_range &= index < static_cast<std::uint64_t>(rows);
              *place++ = static_cast<std::uint32_t>(index);
            }
          });
    });
    if (!in_range) {
      throw InvalidData(std::string(name) + ": an index is not a row of the column");
    }
  }

  Column left_;
  Column right_;
  std::int64_t left_rows_;
  std::int64_t right_rows_;
};

constexpr std::int64_t piece_pairs = 4096;
constexpr std::size_t pairs_ahead = 16;  // that are brought closer while others are scored

/// The indices of one side of a piece, and some that are never asked for: of rows that are there.
using PieceIndices = std::array<std::uint32_t, piece_pairs + pairs_ahead>;

/// Calls the scorer for each pair of a piece; see score_pairs.
template <Simd simd, typename Out, typename Scorer, typename Rows>
FLOWKIT_INLINE void score_piece(Scorer& scorer, const Rows& left, const Rows& right,
                                const PieceIndices& lefts, const PieceIndices& rights,
                                std::size_t count, Out* out) {
  if (!left.has_nulls() && !right.has_nulls()) {
    for (std::size_t at = 0; at < count; ++at) {
      left.prefetch(lefts[at + pairs_ahead]);
      right.prefetch(rights[at + pairs_ahead]);
      out[at] = scorer.template score<simd>(lefts[at], rights[at]);
    }
    return;
  }
  for (std::size_t at = 0; at < count; ++at) {
    const bool is_null = left.is_null(lefts[at]) || right.is_null(rights[at]);
    out[at] = is_null ? Out{0} : scorer.template score<simd>(lefts[at], rights[at]);
  }
}

#if defined(__x86_64__)
template <typename Out, typename Scorer, typename Rows>
FLOWKIT_AVX2 void score_piece_avx2(Scorer& scorer, const Rows& left, const Rows& right,
                                   const PieceIndices& lefts, const PieceIndices& rights,
                                   std::size_t count, Out* out) {
  score_piece<Simd::avx2>(scorer, left, right, lefts, rights, count, out);
}

/// The same for a scorer that takes `pairs_ahead` pairs at once.
template <typename Out, typename Scorer, typename Rows>
FLOWKIT_AVX512 void score_piece_avx512(Scorer& scorer, const Rows& left, const Rows& right,
                                       const PieceIndices& lefts, const PieceIndices& rights,
                                       std::size_t count, Out* out) {
  std::size_t at = 0;
  for (; count - at >= pairs_ahead; at += pairs_ahead) {
    for (std::size_t next = at + pairs_ahead; next < at + 2 * pairs_ahead; ++next) {
      left.prefetch(lefts[next]);
      right.prefetch(rights[next]);
    }
    scorer.score_lanes(&lefts[at], &rights[at], out + at);
  }
  // One by one, as lanes without a pair would compare rows that nobody asked for, however long.
  for (; at < count; ++at) {
    const bool is_null = left.is_null(lefts[at]) || right.is_null(rights[at]);
    out[at] = is_null ? Out{0} : scorer.template score<Simd::avx2>(lefts[at], rights[at]);
  }
}
#endif

template <typename Out, typename Scorer, typename Rows>
void score_piece_by(Simd simd, Scorer& scorer, const Rows& left, const Rows& right,
                    const PieceIndices& lefts, const PieceIndices& rights, std::size_t count,
                    Out* out) {
#if defined(__x86_64__)
  constexpr bool takes_lanes = requires { scorer.score_lanes(lefts.data(), rights.data(), out); };
  if constexpr (takes_lanes) {
    if (simd == Simd::avx512) {
      return score_piece_avx512(scorer, left, right, lefts, rights, count, out);
    }
  }
  if (simd >= Simd::avx2) {
    return score_piece_avx2(scorer, left, right, lefts, rights, count, out);
  }
#else
  (void)simd;
#endif
  score_piece<Simd::none>(scorer, left, right, lefts, rights, count, out);
}

/// Fills an array with `scorer.score<simd>(left row, right row)` for each pair of rows that are not
/// null. If it has `score_lanes(left rows, right rows, out)`, it takes `pairs_ahead` pairs at once
/// where there is AVX-512, null or not. A scorer is of one thread's own, and made of `left`,
/// `right` and `arguments`. A `Rows` has `size()`, `has_nulls()`, `is_null(row)` and
/// `prefetch(row)`.
template <typename Out, typename Scorer, typename Rows, typename... Arguments>
Status score_pairs(const Pairs& pairs, const Rows& left, const Rows& right, const char* format,
                   int threads, Array& out, const Arguments&... arguments) {
  const Simd simd = best_simd();
  const auto rows = [](const Rows& column) {
    require(column.size() <= 0xffffffffU, "a column has over 2^32 rows");
    return static_cast<std::int64_t>(column.size());
  };
  const PairIndices indices(pairs, rows(left), rows(right));
  Values<Out> scores(static_cast<std::size_t>(indices.size()));
  Values<std::uint8_t> validity;
  const bool has_nulls = left.has_nulls() || right.has_nulls();
  if (has_nulls) {
    validity.resize((scores.size() + 7) / 8, std::uint8_t{0});
  }
  std::atomic<std::int64_t> null_count{0};
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    Scorer scorer(left, right, arguments...);
    PieceIndices lefts{};
    PieceIndices rights{};
    const auto count = static_cast<std::size_t>(end - begin);
    indices.read(begin, std::span(lefts).first(count), std::span(rights).first(count));
    score_piece_by(simd, scorer, left, right, lefts, rights, count, scores.data() + begin);
    std::int64_t nulls = 0;
    for (std::size_t at = 0; has_nulls && at < count; ++at) {
      const bool is_null = left.is_null(lefts[at]) || right.is_null(rights[at]);
      nulls += static_cast<std::int64_t>(is_null);
      const auto pair = static_cast<std::size_t>(begin) + at;
      validity[pair / 8] |=
          static_cast<std::uint8_t>(static_cast<unsigned>(!is_null) << (pair % 8));
    }
    null_count += nulls;
  };
  Status status = in_parallel(indices.size(), piece_pairs, threads, body);
  if (status.ok()) {
    out = make_array(format, indices.size(), std::move(scores),
                     null_count == 0 ? Buffer() : Buffer(std::move(validity)), null_count);
  }
  return status;
}

}  // namespace flowkit
