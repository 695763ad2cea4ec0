#include <cstddef>
#include <cstdint>
#include <span>

#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "pairs.hpp"
#include "tokens.hpp"

namespace flowkit {
namespace {

class Jaccard {
 public:
  Jaccard(const TokenSets& left, const TokenSets& right) noexcept : left_(left), right_(right) {}

  template <Simd>
  FLOWKIT_INLINE double score(std::size_t left, std::size_t right) const noexcept {
    const auto from = left_[left];
    const auto with = right_[right];
    const std::size_t common = count_common(from, with);
    const std::size_t all = from.size() + with.size() - common;
    return all == 0 ? 1.0 : static_cast<double>(common) / static_cast<double>(all);
  }

 private:
  /// Goes through both, which rise, without a branch on which is smaller.
  FLOWKIT_INLINE static std::size_t count_common(std::span<const std::uint32_t> left,
                                                 std::span<const std::uint32_t> right) noexcept {
    std::size_t common = 0;
    std::size_t at = 0;
    std::size_t other = 0;
    while (at < left.size() && other < right.size()) {
      const std::uint32_t number = left[at];
      const std::uint32_t against = right[other];
      common += static_cast<std::size_t>(number == against);
      at += static_cast<std::size_t>(number <= against);
      other += static_cast<std::size_t>(number >= against);
    }
    return common;
  }

  const TokenSets& left_;
  const TokenSets& right_;
};

}  // namespace

Status token_set_jaccard(const Pairs& pairs, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    Vocabulary vocabulary;
    // The columns are looked at for as long as the vocabulary is.
    const Column left_column(pairs.left, "left");
    const Column right_column(pairs.right, "right");
    const TokenSets left(left_column, vocabulary);
    const TokenSets right(right_column, vocabulary);
    return score_pairs<double, Jaccard>(pairs, left, right, "g", threads, out);
  });
}

}  // namespace flowkit
