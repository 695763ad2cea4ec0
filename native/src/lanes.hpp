#pragma once

#include "simd.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <bit>
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

  /// Takes pairs of rows: of each, `masked` has the masks if it is the longer one, or if
  /// `keeps_order`.
  ///
  /// A pair that does not fit, as a text is empty or too long, is left out: its lane has texts of
  /// no size.
  template <bool keeps_order>
  FLOWKIT_AVX512 void set(const Texts& masked, const std::uint32_t* masked_rows, const Texts& other,
                          const std::uint32_t* other_rows) noexcept {
    const __m512i one = _mm512_set1_epi32(1);
    __m512i masked_sizes = gather_sizes(masked, masked_rows);
    __m512i other_sizes = gather_sizes(other, other_rows);
    const __m512i longer = _mm512_max_epi32(masked_sizes, other_sizes);
    const __m512i shorter = _mm512_min_epi32(masked_sizes, other_sizes);
    const __mmask16 turned = _mm512_cmplt_epi32_mask(masked_sizes, other_sizes);
    if constexpr (!keeps_order) {
      masked_sizes = longer;
      other_sizes = shorter;
    }
    const __mmask16 fits = _mm512_mask_cmple_epi32_mask(_mm512_cmpge_epi32_mask(shorter, one),
                                                        longer, _mm512_set1_epi32(longest));
    const __mmask16 is_narrow = is_ascii(masked, masked_rows) & is_ascii(other, other_rows);
    other_sizes = _mm512_maskz_mov_epi32(fits, other_sizes);
    _mm512_store_si512(masked_size_.data(), _mm512_maskz_mov_epi32(fits, masked_sizes));
    _mm512_store_si512(other_size_.data(), other_sizes);
    places_ = _mm512_reduce_max_epi32(other_sizes);
    for (std::size_t lane = 0; lane < count; ++lane) {
      const Text* from = &masked[masked_rows[lane]];
      const Text* with = &other[other_rows[lane]];
      // Without a branch, which could not be guessed.
      const bool turns = !keeps_order && ((turned >> lane) & 1U) != 0;
      masked_[lane] = turns ? with : from;
      other_[lane] = turns ? from : with;
    }
    left_out_ = static_cast<std::uint16_t>(~fits);
    fill(is_narrow);
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

  /// The masks at a place, which is even, and at the next; of lanes whose other text ends before
  /// it, anything.
  struct Masks {
    __m512i even;
    __m512i odd;
  };
  FLOWKIT_AVX512 [[nodiscard]] Masks masks(std::int32_t place) const noexcept {
    const auto& two = masks_[static_cast<std::size_t>(place) / 2];
    const __m512i low = _mm512_load_si512(two.data());
    const __m512i high = _mm512_load_si512(two.data() + count);
    const __m512i evens =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    return {_mm512_permutex2var_epi32(low, evens, high),
            _mm512_permutex2var_epi32(low, odds, high)};
  }

  /// How many code points, of up to four, the two texts begin with alike.
  FLOWKIT_AVX512 [[nodiscard]] __m512i prefixes() const noexcept {
    const __m512i differs = _mm512_xor_si512(_mm512_load_si512(masked_front_.data()),
                                             _mm512_load_si512(other_front_.data()));
    const __m512i one = _mm512_set1_epi32(1);
    __m512i size = _mm512_setzero_si512();
    for (const unsigned bytes : {0xffU, 0xffffU, 0xffffffU, 0xffffffffU}) {
      const __mmask16 alike =
          _mm512_testn_epi32_mask(differs, _mm512_set1_epi32(static_cast<int>(bytes)));
      size = _mm512_mask_add_epi32(size, alike, size, one);
    }
    return _mm512_min_epi32(size, _mm512_min_epi32(masked_sizes(), other_sizes()));
  }

 private:
  /// Places whose masks are made in one go.
  static constexpr std::int32_t step = 8;

  FLOWKIT_AVX512 static __m512i gather_sizes(const Texts& texts,
                                             const std::uint32_t* rows) noexcept {
    return gather(&texts[0].size, rows);
  }

  FLOWKIT_AVX512 static __mmask16 is_ascii(const Texts& texts, const std::uint32_t* rows) noexcept {
    return _mm512_test_epi32_mask(gather(&texts[0].is_ascii, rows), _mm512_set1_epi32(0xff));
  }

  /// Loads 32 bits of each row, from where `field` is in the first.
  FLOWKIT_AVX512 static __m512i gather(const void* field, const std::uint32_t* rows) noexcept {
    static_assert(sizeof(Text) == 32);
    return _mm512_inserti64x4(_mm512_castsi256_si512(gather_half(field, rows)),
                              gather_half(field, rows + count / 2), 1);
  }

  FLOWKIT_AVX512 static __m256i gather_half(const void* field, const std::uint32_t* rows) noexcept {
    // With 64 bits, as a row's place has more than 32.
    const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows));
    return _mm512_i64gather_epi32(_mm512_slli_epi64(_mm512_cvtepu32_epi64(some), 5), field, 1);
  }

  FLOWKIT_AVX512 void fill(__mmask16 is_narrow) noexcept {
    if (is_narrow != 0) {
      fill_narrow(is_narrow);
    }
    for (unsigned wide = ~static_cast<unsigned>(is_narrow) & ~left_out_ & 0xffffU; wide != 0;
         wide &= wide - 1) {
      fill_wide(static_cast<std::size_t>(std::countr_zero(wide)));
    }
  }

  /// Makes the masks of texts of bytes; of others, anything.
  FLOWKIT_AVX512 void fill_narrow(__mmask16 is_narrow) noexcept {
    static constexpr std::array<char, 64> nothing{};
    std::array<const char*, count> masked;
    std::array<const char*, count> other;
    for (std::size_t lane = 0; lane < count; ++lane) {
      const bool is_there = ((is_narrow >> lane) & 1U) != 0;
      masked[lane] = is_there ? masked_[lane]->narrow() : nothing.data();
      other[lane] = is_there ? other_[lane]->narrow() : nothing.data();
      masked_front_[lane] = load<std::uint32_t>(masked[lane]);
      other_front_[lane] = load<std::uint32_t>(other[lane]);
    }
    for (std::int32_t place = 0; place < places_; place += step) {
      for (std::size_t lane = 0; lane < count; ++lane) {
        fill_narrow(lane, masked[lane], other[lane] + place, place);
      }
    }
  }

  /// Compares a text with two bytes of a part of the other at once, which is at `place`.
  FLOWKIT_AVX512 FLOWKIT_INLINE void fill_narrow(std::size_t lane, const char* text,
                                                 const char* part, std::int32_t place) noexcept {
    const __m512i twice =
        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(text)));
    const __m512i wanted = _mm512_set1_epi64(load<std::int64_t>(part));
    const __m512i first = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8(1), 1);
    auto* out = &masks_[static_cast<std::size_t>(place) / 2];
    for (std::int8_t two = 0; two < step / 2; ++two) {
      const __m512i which = _mm512_add_epi8(first, _mm512_set1_epi8(static_cast<char>(2 * two)));
      const std::uint64_t equal = _mm512_cmpeq_epi8_mask(twice, _mm512_shuffle_epi8(wanted, which));
      std::memcpy(&out[two][2 * lane], &equal, sizeof(equal));
    }
  }

  /// The same for texts of which one has other code points, one after the other.
  FLOWKIT_AVX512 void fill_wide(std::size_t lane) noexcept {
    alignas(64) std::array<char32_t, longest> memory;
    alignas(64) std::array<char32_t, longest> other_memory;
    const auto size = masked_size_[lane];
    const char32_t* text = widen(*masked_[lane], memory);
    const auto rows = _bzhi_u32(~0U, static_cast<unsigned>(size));
    const __m512i low = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(rows), text);
    const __m512i high = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(rows >> 16U), text + 16);
    const char32_t* other = widen(*other_[lane], other_memory);
    for (std::int32_t place = 0; place < other_size_[lane]; ++place) {
      const __m512i wanted = _mm512_set1_epi32(static_cast<int>(other[place]));
      const std::uint32_t equal = _cvtmask16_u32(_mm512_cmpeq_epi32_mask(low, wanted)) |
                                  _cvtmask16_u32(_mm512_cmpeq_epi32_mask(high, wanted)) << 16U;
      masks_[static_cast<std::size_t>(place) / 2][2 * lane + static_cast<std::size_t>(place) % 2] =
          equal;
    }
    // Fronts that differ where those of the texts do.
    const auto other_rows = _bzhi_u32(0xfU, static_cast<unsigned>(other_size_[lane]));
    const __mmask8 differs =
        _mm_cmpneq_epi32_mask(_mm_maskz_loadu_epi32(static_cast<__mmask8>(rows & 0xfU), text),
                              _mm_maskz_loadu_epi32(static_cast<__mmask8>(other_rows), other));
    const int alike = std::countr_zero(static_cast<unsigned>(differs) | 0x10U);
    masked_front_[lane] = 0;
    other_front_[lane] = static_cast<std::uint32_t>(std::uint64_t{1} << (8 * alike));
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
  alignas(64) std::array<std::uint32_t, count> masked_front_;
  alignas(64) std::array<std::uint32_t, count> other_front_;
  unsigned left_out_ = 0;
  std::int32_t places_ = 0;
};

}  // namespace flowkit

#endif
