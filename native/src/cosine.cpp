#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "ngrams.hpp"
#include "pairs.hpp"

namespace flowkit {
namespace {

class Cosine {
 public:
  Cosine(const NgramCounts& left, const NgramCounts& right) noexcept : left_(left), right_(right) {}

  template <Simd>
  FLOWKIT_INLINE double score(std::size_t left, std::size_t right) const noexcept {
    const auto from = left_[left];
    const auto with = right_[right];
    if (from.empty() || with.empty()) {
      return static_cast<double>(from.size() == with.size());
    }
    const double scale = std::sqrt(left_.squares(left) * right_.squares(right));
    // A root that is rounded down must not make more than 1 of it.
    return std::min(1.0, static_cast<double>(product(from, with)) / scale);
  }

 private:
  using Counted = NgramCounts::Counted;

  /// Goes through both, which rise, without a branch on which is smaller.
  FLOWKIT_INLINE static std::uint64_t product(std::span<const Counted> left,
                                              std::span<const Counted> right) noexcept {
    std::uint64_t sum = 0;
    std::size_t at = 0;
    std::size_t other = 0;
    while (at < left.size() && other < right.size()) {
      const Counted one = left[at];
      const Counted against = right[other];
      const std::uint64_t both = std::uint64_t{one.count} * against.count;
      sum += one.number == against.number ? both : 0;
      at += static_cast<std::size_t>(one.number <= against.number);
      other += static_cast<std::size_t>(one.number >= against.number);
    }
    return sum;
  }

  const NgramCounts& left_;
  const NgramCounts& right_;
};

}  // namespace

Status ngram_cosine(const Pairs& pairs, std::int32_t n, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    require(n >= 1 && n <= 64, "n must be between 1 and 64");
    Vocabulary vocabulary;
    // The columns are looked at for as long as the vocabulary is.
    const Column left_column(pairs.left, "left");
    const Column right_column(pairs.right, "right");
    const NgramCounts left(left_column, static_cast<std::size_t>(n), vocabulary);
    const NgramCounts right(right_column, static_cast<std::size_t>(n), vocabulary);
    return score_pairs<double, Cosine>(pairs, left, right, "g", threads, out);
  });
}

}  // namespace flowkit
