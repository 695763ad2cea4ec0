#pragma once

#include "lanes.hpp"

#if defined(__x86_64__)

#include <array>
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
  struct Register {
    __m512i value;
  };
  std::array<Register, LanePairs::longest> masks;
  __m512i free = rows;
  __m512i common = zero;
  __m512i matched = zero;
  for (std::int32_t place = 0; place < pairs.places(); ++place) {
    const __m512i here = _mm512_set1_epi32(place);
    const __m512i mask = pairs.masks(place);
    masks[static_cast<std::size_t>(place)].value = mask;
    const __m512i begin = _mm512_max_epi32(_mm512_sub_epi32(here, reach), zero);
    const __m512i end = _mm512_add_epi32(_mm512_add_epi32(here, reach), one);
    const __m512i before = _mm512_sub_epi32(_mm512_sllv_epi32(one, begin), one);
    const __m512i until = _mm512_sub_epi32(_mm512_sllv_epi32(one, end), one);
    const __m512i window =
        _mm512_maskz_andnot_epi32(_mm512_cmplt_epi32_mask(here, right_sizes), before, until);
    const __m512i candidates = _mm512_and_si512(_mm512_and_si512(mask, window), free);
    const __m512i first = _mm512_and_si512(candidates, _mm512_sub_epi32(zero, candidates));
    const __mmask16 any = _mm512_test_epi32_mask(candidates, candidates);
    free = _mm512_xor_si512(free, first);
    common = _mm512_mask_add_epi32(common, any, common, one);
    matched = _mm512_mask_or_epi32(matched, any, matched,
                                   _mm512_sll_epi32(one, _mm_cvtsi32_si128(place)));
  }
  // What was matched, in the order of the right text, against what was taken, in that of the left.
  __m512i taken = _mm512_xor_si512(rows, free);
  __m512i moved = zero;
  for (std::int32_t place = 0; place < pairs.places(); ++place) {
    const __mmask16 here =
        _mm512_test_epi32_mask(matched, _mm512_sll_epi32(one, _mm_cvtsi32_si128(place)));
    const __m512i first = _mm512_and_si512(taken, _mm512_sub_epi32(zero, taken));
    const __mmask16 differs =
        _mm512_mask_testn_epi32_mask(here, masks[static_cast<std::size_t>(place)].value, first);
    moved = _mm512_mask_add_epi32(moved, differs, moved, one);
    taken = _mm512_mask_xor_epi32(taken, here, taken, first);
  }
  _mm512_storeu_pd(
      scores, jaro_scores(_mm512_castsi512_si256(left_sizes), _mm512_castsi512_si256(right_sizes),
                          _mm512_castsi512_si256(common), _mm512_castsi512_si256(moved)));
  _mm512_storeu_pd(scores + 8, jaro_scores(_mm512_extracti64x4_epi64(left_sizes, 1),
                                           _mm512_extracti64x4_epi64(right_sizes, 1),
                                           _mm512_extracti64x4_epi64(common, 1),
                                           _mm512_extracti64x4_epi64(moved, 1)));
}

}  // namespace flowkit

#endif
