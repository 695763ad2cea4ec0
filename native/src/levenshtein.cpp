#include "levenshtein.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "levenshtein_lanes.hpp"
#include "text_pairs.hpp"

namespace flowkit {
namespace {

class Levenshtein {
 public:
  Levenshtein(const Texts& left, const Texts& right) noexcept : left_(left), right_(right) {}

  template <Simd simd>
  FLOWKIT_INLINE std::int32_t score(std::size_t left, std::size_t right) {
    return distance<simd>(left_[left], right_[right]);
  }

#if defined(__x86_64__)
  FLOWKIT_AVX512 void score_lanes(const std::uint32_t* left, const std::uint32_t* right,
                                  std::int32_t* out) {
    LanePairs pairs;
    for (std::size_t lane = 0; lane < LanePairs::count; ++lane) {
      const Text& from = left_[left[lane]];
      const Text& with = right_[right[lane]];
      // As in `distance`, the longer one has the masks.
      const bool is_left_longer = from.size >= with.size;
      pairs.set(lane, is_left_longer ? from : with, is_left_longer ? with : from);
    }
    pairs.fill();
    levenshtein_lanes(pairs, out);
    for (unsigned others = pairs.left_out(); others != 0; others &= others - 1) {
      const auto lane = static_cast<std::size_t>(std::countr_zero(others));
      out[lane] = distance<Simd::avx2>(left_[left[lane]], right_[right[lane]]);
    }
  }
#endif

 protected:
  template <Simd simd>
  FLOWKIT_INLINE std::int32_t distance(const Text& left, const Text& right) {
    // The longer one has the masks, as each code point of the other costs a round.
    const bool is_left_longer = left.size >= right.size;
    const Text& masked = is_left_longer ? left : right;
    const Text& other = is_left_longer ? right : left;
    if (masked.size > longest_short || other.size == 0 || !masked.is_ascii || !other.is_ascii)
        [[unlikely]] {
      return other.size == 0 ? masked.size : distance_of_any(masked, other);
    }
    const char* text = other.narrow();
    return with_masks<simd>(masked.narrow(), masked.size,
                            [&](const auto& masks) FLOWKIT_INLINE_LAMBDA {
                              return levenshtein_short(masks, masked.size, text, other.size);
                            });
  }

  const Texts& left_;
  const Texts& right_;

 private:
  std::int32_t distance_of_any(const Text& masked, const Text& other) {
    const auto from = widened_.left(masked);
    const auto with = widened_.right(other);
    if (masked.size <= longest_short) {
      return levenshtein_short(WideMasks(from.data(), masked.size), masked.size, with.data(),
                               other.size);
    }
    return levenshtein_long(from, with, scratch_);
  }

  Widened widened_;
  LevenshteinScratch scratch_;
};

class LevenshteinSimilarity : public Levenshtein {
 public:
  using Levenshtein::Levenshtein;

  template <Simd simd>
  FLOWKIT_INLINE double score(std::size_t left, std::size_t right) {
    const Text& from = left_[left];
    const Text& with = right_[right];
    const std::int32_t longer = std::max(from.size, with.size);
    return longer == 0 ? 1.0 : 1.0 - static_cast<double>(distance<simd>(from, with)) / longer;
  }

#if defined(__x86_64__)
  FLOWKIT_AVX512 void score_lanes(const std::uint32_t* left, const std::uint32_t* right,
                                  double* out) {
    std::array<std::int32_t, LanePairs::count> edits;
    Levenshtein::score_lanes(left, right, edits.data());
    for (std::size_t lane = 0; lane < LanePairs::count; ++lane) {
      const std::int32_t longer = std::max(left_[left[lane]].size, right_[right[lane]].size);
      out[lane] = longer == 0 ? 1.0 : 1.0 - static_cast<double>(edits[lane]) / longer;
    }
  }
#endif
};

}  // namespace

Status levenshtein(const Pairs& pairs, Distance distance, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    const Texts left(Column(pairs.left, "left"));
    const Texts right(Column(pairs.right, "right"));
    if (distance == Distance::edits) {
      return score_pairs<std::int32_t, Levenshtein>(pairs, left, right, "i", threads, out);
    }
    return score_pairs<double, LevenshteinSimilarity>(pairs, left, right, "g", threads, out);
  });
}

}  // namespace flowkit
