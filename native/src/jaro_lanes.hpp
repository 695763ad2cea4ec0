#pragma once

#include "lanes.hpp"

#if defined(__x86_64__)

#include <cstdint>

namespace flowkit {

/// Jaro's similarity of eight pairs: `common` code points, of which `moved` are in another order.
FLOWKIT_AVX512 inline __m512d jaro_scores(__m256i left_sizes, __m256i right_sizes, __m256i common,
                                          __m256i moved) noexcept {
  const __m512d both = _mm512_cvtepi32_pd(common);
  const __m512d kept = _mm512_sub_pd(both, _mm512_cvtepi32_pd(_mm256_srli_epi32(moved, 1)));
  const __m512d sum =
      _mm512_add_pd(_mm512_add_pd(_mm512_div_pd(both, _mm512_cvtepi32_pd(left_sizes)),
                                  _mm512_div_pd(both, _mm512_cvtepi32_pd(right_sizes))),
                    _mm512_div_pd(kept, both));
  const __mmask8 any = _mm256_test_epi32_mask(common, common);
  return _mm512_maskz_div_pd(any, sum, _mm512_set1_pd(3.0));
}

/// What sixteen pairs have in common, found place by place of the right texts.
struct MatchLanes {
  __m512i right_sizes;
  __m512i reach;
  __m512i free;     ///< places of the left texts that may still be taken
  __m512i window;   ///< those that are near enough
  __m512i place;    ///< of the right texts
  __m512i bit;      ///< the same as a mask
  __m512i common;   ///< how many were taken
  __m512i matched;  ///< places of the right texts that took one

  FLOWKIT_AVX512 FLOWKIT_INLINE void add(__m512i mask) noexcept {
    const __m512i zero = _mm512_setzero_si512();
    const __m512i one = _mm512_set1_epi32(1);
    constexpr int all_three = 0x80;
    const __mmask16 goes_on = _mm512_cmplt_epi32_mask(place, right_sizes);
    const __m512i candidates =
        _mm512_maskz_ternarylogic_epi32(goes_on, mask, window, free, all_three);
    const __m512i first = _mm512_and_si512(candidates, _mm512_sub_epi32(zero, candidates));
    const __mmask16 any = _mm512_test_epi32_mask(candidates, candidates);
    free = _mm512_xor_si512(free, first);
    common = _mm512_mask_add_epi32(common, any, common, one);
    matched = _mm512_mask_or_epi32(matched, any, matched, bit);
    // The window moves on by a place, and grows at its lower end until it has reached.
    place = _mm512_add_epi32(place, one);
    bit = _mm512_add_epi32(bit, bit);
    window = _mm512_add_epi32(window, window);
    window = _mm512_mask_or_epi32(window, _mm512_cmple_epi32_mask(place, reach), window, one);
  }
};

/// What was matched, in the order of the right texts, against what was taken, in that of the left.
struct MovedLanes {
  __m512i taken;
  __m512i matched;
  __m512i bit;
  __m512i moved;

  FLOWKIT_AVX512 FLOWKIT_INLINE void add(__m512i mask) noexcept {
    const __m512i zero = _mm512_setzero_si512();
    const __mmask16 here = _mm512_test_epi32_mask(matched, bit);
    const __m512i first = _mm512_and_si512(taken, _mm512_sub_epi32(zero, taken));
    const __mmask16 differs = _mm512_mask_testn_epi32_mask(here, mask, first);
    moved = _mm512_mask_add_epi32(moved, differs, moved, _mm512_set1_epi32(1));
    taken = _mm512_mask_xor_epi32(taken, here, taken, first);
    bit = _mm512_add_epi32(bit, bit);
  }
};

/// Jaro's similarity of sixteen pairs, as jaro_short has it; of those that were left out, anything.
FLOWKIT_AVX512 inline void jaro_lanes(const LanePairs& pairs, double* scores) noexcept {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i left_sizes = pairs.masked_sizes();
  const __m512i right_sizes = pairs.other_sizes();
  const __m512i half = _mm512_srli_epi32(_mm512_max_epi32(left_sizes, right_sizes), 1);
  const __m512i reach = _mm512_max_epi32(_mm512_sub_epi32(half, one), zero);
  // A shift by 32 gives 0, and 0 less 1 is a mask of all places.
  const __m512i rows = _mm512_sub_epi32(_mm512_sllv_epi32(one, left_sizes), one);
  const __m512i window = _mm512_sub_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(2), reach), one);
  MatchLanes match{right_sizes, reach, rows, window, zero, one, zero, zero};
  for (std::int32_t place = 0; place < pairs.places(); place += 2) {
    const LanePairs::Masks masks = pairs.masks(place);
    match.add(masks.even);
    match.add(masks.odd);
  }
  MovedLanes order{_mm512_xor_si512(rows, match.free), match.matched, one, zero};
  for (std::int32_t place = 0; place < pairs.places(); place += 2) {
    const LanePairs::Masks masks = pairs.masks(place);
    order.add(masks.even);
    order.add(masks.odd);
  }
  _mm512_storeu_pd(
      scores,
      jaro_scores(_mm512_castsi512_si256(left_sizes), _mm512_castsi512_si256(right_sizes),
                  _mm512_castsi512_si256(match.common), _mm512_castsi512_si256(order.moved)));
  _mm512_storeu_pd(scores + 8, jaro_scores(_mm512_extracti64x4_epi64(left_sizes, 1),
                                           _mm512_extracti64x4_epi64(right_sizes, 1),
                                           _mm512_extracti64x4_epi64(match.common, 1),
                                           _mm512_extracti64x4_epi64(order.moved, 1)));
}

/// Adds Winkler's bonus to each similarity above `least`: `weight` of what is missing for each of
/// up to four code points that the texts begin with alike.
FLOWKIT_AVX512 inline void add_bonus(const LanePairs& pairs, double least, double weight,
                                     double* scores) noexcept {
  const __m512i prefixes = pairs.prefixes();
  for (std::size_t part = 0; part < LanePairs::count; part += 8) {
    const __m256i sizes =
        part == 0 ? _mm512_castsi512_si256(prefixes) : _mm512_extracti64x4_epi64(prefixes, 1);
    const __m512d score = _mm512_loadu_pd(scores + part);
    const __m512d factor = _mm512_mul_pd(_mm512_set1_pd(weight), _mm512_cvtepi32_pd(sizes));
    const __m512d bonus = _mm512_mul_pd(factor, _mm512_sub_pd(_mm512_set1_pd(1.0), score));
    const __mmask8 gets = _mm512_cmp_pd_mask(score, _mm512_set1_pd(least), _CMP_GT_OQ);
    _mm512_storeu_pd(scores + part, _mm512_mask_add_pd(score, gets, score, bonus));
  }
}

}  // namespace flowkit

#endif
