#include "jaro.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "jaro_lanes.hpp"
#include "text_pairs.hpp"

namespace flowkit {
namespace {

class Jaro {
 public:
  Jaro(const Texts& left, const Texts& right) noexcept : left_(left), right_(right) {}

  template <Simd simd>
  FLOWKIT_INLINE double score(std::size_t left, std::size_t right) {
    return compare<simd>(left_[left], right_[right]);
  }

#if defined(__x86_64__)
  FLOWKIT_AVX512 void score_lanes(const std::uint32_t* left, const std::uint32_t* right,
                                  double* out) {
    LanePairs pairs;
    for (std::size_t lane = 0; lane < LanePairs::count; ++lane) {
      pairs.set(lane, left_[left[lane]], right_[right[lane]]);
    }
    pairs.fill();
    jaro_lanes(pairs, out);
    for (unsigned others = pairs.left_out(); others != 0; others &= others - 1) {
      const auto lane = static_cast<std::size_t>(std::countr_zero(others));
      out[lane] = compare<Simd::avx2>(left_[left[lane]], right_[right[lane]]);
    }
  }
#endif

 protected:
  template <Simd simd>
  FLOWKIT_INLINE double compare(const Text& left, const Text& right) {
    const bool is_short = std::max(left.size, right.size) <= longest_short;
    const bool is_empty = std::min(left.size, right.size) == 0;
    if (!is_short || is_empty || !left.is_ascii || !right.is_ascii) [[unlikely]] {
      return is_empty ? static_cast<double>(left.size == right.size) : compare_any(left, right);
    }
    const char* from = left.narrow();
    const char* with = right.narrow();
    return with_masks<simd>(from, left.size, [&](const auto& masks) FLOWKIT_INLINE_LAMBDA {
      return jaro_short<simd>(masks, from, left.size, with, right.size);
    });
  }

  const Texts& left_;
  const Texts& right_;

 private:
  double compare_any(const Text& left, const Text& right) {
    const auto from = widened_.left(left);
    const auto with = widened_.right(right);
    if (std::max(left.size, right.size) <= longest_short) {
      return jaro_short<Simd::none>(WideMasks(from.data(), left.size), from.data(), left.size,
                                    with.data(), right.size);
    }
    return jaro_long(from, with, scratch_);
  }

  Widened widened_;
  JaroScratch scratch_;
};

class JaroWinkler : public Jaro {
 public:
  using Jaro::Jaro;

  template <Simd simd>
  FLOWKIT_INLINE double score(std::size_t left, std::size_t right) {
    const Text& from = left_[left];
    const Text& with = right_[right];
    const double similarity = compare<simd>(from, with);
    if (similarity <= least) {
      return similarity;
    }
    return similarity + weight * prefix(from, with) * (1.0 - similarity);
  }

#if defined(__x86_64__)
  FLOWKIT_AVX512 void score_lanes(const std::uint32_t* left, const std::uint32_t* right,
                                  double* out) {
    Jaro::score_lanes(left, right, out);
    for (std::size_t lane = 0; lane < LanePairs::count; ++lane) {
      const double similarity = out[lane];
      const double bonus =
          weight * prefix(left_[left[lane]], right_[right[lane]]) * (1.0 - similarity);
      out[lane] = similarity + (similarity > least ? bonus : 0.0);
    }
  }
#endif

 private:
  static constexpr double least = 0.7;
  static constexpr double weight = 0.1;

  static double prefix(const Text& left, const Text& right) noexcept {
    const std::int32_t most = std::min({left.size, right.size, 4});
    if (left.is_ascii && right.is_ascii) {
      const auto differs = load<std::uint32_t>(left.narrow()) ^ load<std::uint32_t>(right.narrow());
      return std::min(most, std::countr_zero(differs) / 8);
    }
    std::int32_t size = 0;
    while (size < most && at(left, size) == at(right, size)) {
      ++size;
    }
    return size;
  }

  static char32_t at(const Text& text, std::int32_t place) noexcept {
    return text.is_ascii ? static_cast<char32_t>(text.narrow()[place]) : text.wide()[place];
  }
};

template <typename Scorer>
Status score(const Pairs& pairs, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    const Texts left(Column(pairs.left, "left"));
    const Texts right(Column(pairs.right, "right"));
    return score_pairs<double, Scorer>(pairs, left, right, "g", threads, out);
  });
}

}  // namespace

Status jaro(const Pairs& pairs, int threads, Array& out) noexcept {
  return score<Jaro>(pairs, threads, out);
}

Status jaro_winkler(const Pairs& pairs, int threads, Array& out) noexcept {
  return score<JaroWinkler>(pairs, threads, out);
}

}  // namespace flowkit
