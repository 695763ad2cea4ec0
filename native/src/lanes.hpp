#pragma once

#include "simd.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "intrinsics.hpp"
#include "texts.hpp"

namespace flowkit {

/// Sixteen pairs of short texts, to be compared at once: a pair is a lane of a register, and where
/// a code point is in a text is a mask of 32 bits.
///
/// One text of a pair is `masked`, the other is gone through: at place p, a lane has the mask of
/// the other's code point p.
class LanePairs {
 public:
  static constexpr std::size_t count = 16;
  static constexpr std::int32_t longest = 32;

  /// Takes a pair. One that does not fit, as a text is empty or too long, is left out: its lane has
  /// texts of no size.
  FLOWKIT_INLINE void set(std::size_t lane, const Text& masked, const Text& other) noexcept {
    const bool fits =
        std::max(masked.size, other.size) <= longest && std::min(masked.size, other.size) > 0;
    masked_[lane] = &masked;
    other_[lane] = &other;
    masked_size_[lane] = fits ? masked.size : 0;
    other_size_[lane] = fits ? other.size : 0;
    left_out_ |= static_cast<unsigned>(!fits) << lane;
    is_wide_ |= static_cast<unsigned>(!(masked.is_ascii && other.is_ascii)) << lane;
    places_ = std::max(places_, other_size_[lane]);
  }

  /// Makes the masks, once all lanes are set.
  FLOWKIT_AVX512 void fill() noexcept {
    const std::int32_t twos = (places_ + 1) / 2;
    for (std::size_t lane = 0; lane < count; ++lane) {
      if (((is_wide_ >> lane) & 1U) == 0) {
        fill_narrow(lane, twos);
      } else if (((left_out_ >> lane) & 1U) == 0) {
        fill_wide(lane);
      }
    }
  }

  /// The lanes that were left out, a bit for each.
  [[nodiscard]] unsigned left_out() const noexcept { return left_out_; }

  /// How many places the longest of the other texts has.
  [[nodiscard]] std::int32_t places() const noexcept { return places_; }

  FLOWKIT_AVX512 [[nodiscard]] __m512i masked_sizes() const noexcept {
    return _mm512_load_si512(masked_size_.data());
  }
  FLOWKIT_AVX512 [[nodiscard]] __m512i other_sizes() const noexcept {
    return _mm512_load_si512(other_size_.data());
  }

  /// The masks at a place; of lanes whose other text ends before it, anything.
  FLOWKIT_AVX512 [[nodiscard]] __m512i masks(std::int32_t place) const noexcept {
    const auto& two = masks_[static_cast<std::size_t>(place) / 2];
    const __m512i which = _mm512_add_epi32(
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
        _mm512_set1_epi32(place % 2));
    return _mm512_permutex2var_epi32(_mm512_load_si512(two.data()), which,
                                     _mm512_load_si512(two.data() + count));
  }

 private:
  /// Compares a text of bytes with two code points of the other at once.
  FLOWKIT_AVX512 void fill_narrow(std::size_t lane, std::int32_t twos) noexcept {
    const char* text = masked_[lane]->narrow();
    const char* other = other_[lane]->narrow();
    const __m512i twice =
        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text)));
    __m512i wanted = _mm512_setzero_si512();
    __m512i which = wanted;
    for (std::int32_t two = 0; two < twos; ++two) {
      if (two % 8 == 0) {
        const auto* part = reinterpret_cast<const __m128i*>(other + std::ptrdiff_t{2} * two);
        wanted = _mm512_broadcast_i32x4(_mm_loadu_si128(part));
        which = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8(1), 1);
      }
      const std::uint64_t equal = _mm512_cmpeq_epi8_mask(twice, _mm512_shuffle_epi8(wanted, which));
      std::memcpy(&masks_[static_cast<std::size_t>(two)][2 * lane], &equal, sizeof(equal));
      which = _mm512_add_epi8(which, _mm512_set1_epi8(2));
    }
  }

  /// The same for texts of which one has other code points, one after the other.
  FLOWKIT_AVX512 void fill_wide(std::size_t lane) noexcept {
    alignas(64) std::array<char32_t, longest> memory;
    const auto size = masked_size_[lane];
    const char32_t* text = widen(*masked_[lane], memory);
    const auto rows = _bzhi_u32(~0U, static_cast<unsigned>(size));
    const __m512i low = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(rows), text);
    const __m512i high = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(rows >> 16U), text + 16);
    const char32_t* other = widen(*other_[lane], memory);
    for (std::int32_t place = 0; place < other_size_[lane]; ++place) {
      const __m512i wanted = _mm512_set1_epi32(static_cast<int>(other[place]));
      const std::uint32_t equal = _cvtmask16_u32(_mm512_cmpeq_epi32_mask(low, wanted)) |
                                  _cvtmask16_u32(_mm512_cmpeq_epi32_mask(high, wanted)) << 16U;
      masks_[static_cast<std::size_t>(place) / 2][2 * lane + static_cast<std::size_t>(place) % 2] =
          equal;
    }
  }

  FLOWKIT_AVX512 static const char32_t* widen(const Text& text,
                                              std::array<char32_t, longest>& memory) noexcept {
    if (!text.is_ascii) {
      return text.wide();
    }
    const auto* bytes = reinterpret_cast<const __m128i*>(text.narrow());
    _mm512_store_si512(memory.data(), _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes)));
    _mm512_store_si512(memory.data() + 16, _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes + 1)));
    return memory.data();
  }

  std::array<const Text*, count> masked_;
  std::array<const Text*, count> other_;
  alignas(64) std::array<std::int32_t, count> masked_size_;
  alignas(64) std::array<std::int32_t, count> other_size_;
  /// For each two places, the masks of a lane side by side.
  alignas(64) std::array<std::array<std::uint32_t, 2 * count>, longest / 2> masks_;
  unsigned left_out_ = 0;
  unsigned is_wide_ = 0;
  std::int32_t places_ = 0;
};

}  // namespace flowkit

#endif
