#pragma once

#include "lanes.hpp"

#if defined(__x86_64__)

#include <array>
#include <bit>
#include <cstdint>

namespace flowkit {

/// Levenshtein's distance of sixteen pairs, as levenshtein_short has it; of those that were left
/// out, anything.
FLOWKIT_AVX512 inline void levenshtein_lanes(const LanePairs& pairs,
                                             std::int32_t* distances) noexcept {
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i ones = _mm512_set1_epi32(-1);
  const __m512i sizes = pairs.other_sizes();
  __m512i rises = ones;
  __m512i falls = _mm512_setzero_si512();
  for (std::int32_t place = 0; place < pairs.places(); ++place) {
    const __mmask16 goes_on = _mm512_cmplt_epi32_mask(_mm512_set1_epi32(place), sizes);
    const __m512i equal = pairs.masks(place);
    const __m512i carried = _mm512_add_epi32(_mm512_and_si512(equal, rises), rises);
    const __m512i diagonal =
        _mm512_or_si512(_mm512_or_si512(_mm512_xor_si512(carried, rises), equal), falls);
    const __m512i level = _mm512_xor_si512(_mm512_or_si512(diagonal, rises), ones);
    const __m512i up = _mm512_or_si512(_mm512_slli_epi32(_mm512_or_si512(falls, level), 1), one);
    const __m512i down = _mm512_slli_epi32(_mm512_and_si512(diagonal, rises), 1);
    const __m512i neither = _mm512_xor_si512(_mm512_or_si512(diagonal, up), ones);
    rises = _mm512_mask_or_epi32(rises, goes_on, down, neither);
    falls = _mm512_mask_and_epi32(falls, goes_on, up, diagonal);
  }
  // The last row is the first, which is the size, and what it rises and falls by from there.
  const __m512i rows = _mm512_sub_epi32(_mm512_sllv_epi32(one, pairs.masked_sizes()), one);
  alignas(64) std::array<std::uint32_t, LanePairs::count> up;
  alignas(64) std::array<std::uint32_t, LanePairs::count> down;
  alignas(64) std::array<std::int32_t, LanePairs::count> size;
  _mm512_store_si512(up.data(), _mm512_and_si512(rises, rows));
  _mm512_store_si512(down.data(), _mm512_and_si512(falls, rows));
  _mm512_store_si512(size.data(), sizes);
  for (std::size_t lane = 0; lane < LanePairs::count; ++lane) {
    distances[lane] = size[lane] + std::popcount(up[lane]) - std::popcount(down[lane]);
  }
}

}  // namespace flowkit

#endif
