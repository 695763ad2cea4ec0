#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "intrinsics.hpp"
#include "simd.hpp"

#if !defined(__x86_64__) && defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace flowkit {

// A mask says where in a text a code point is: bit p for position p. Kernels go over one text and
// ask for masks of the other. The classes here answer alike, each for its kind and length of text;
// bits beyond the text's length may be anything.

/// Masks from a table: for any text of up to 64 ASCII characters, with any instructions.
class TableMasks {
 public:
  explicit TableMasks(const char* text, std::int32_t size) noexcept {
    for (std::int32_t at = 0; at < size; ++at) {
      table_[static_cast<std::uint8_t>(text[at]) & 127U] |= std::uint64_t{1} << at;
    }
  }
  [[nodiscard]] std::uint64_t of(char character) const noexcept {
    return table_[static_cast<std::uint8_t>(character) & 127U];
  }

 private:
  std::array<std::uint64_t, 128> table_{};
};

#if defined(__SSE2__)

/// Masks by comparison with the whole text at once, 16 characters a register: no table to fill.
template <std::size_t registers>
class ComparedMasks {
 public:
  explicit ComparedMasks(const char* text) noexcept {
    std::memcpy(parts_.data(), text, sizeof(parts_));
  }
  [[nodiscard]] std::uint64_t of(char character) const noexcept {
    const __m128i wanted = _mm_set1_epi8(character);
    std::uint64_t mask = 0;
    for (std::size_t part = 0; part < registers; ++part) {
      const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(parts_[part].value, wanted));
      mask |= static_cast<std::uint64_t>(static_cast<unsigned>(equal)) << (16 * part);
    }
    return mask;
  }

 private:
  struct Register {
    __m128i value;
  };
  std::array<Register, registers> parts_;
};

#endif

#if defined(__x86_64__)

/// The same with AVX2: 32 characters a register.
template <std::size_t registers>
class Compared32Masks {
 public:
  FLOWKIT_AVX2 explicit Compared32Masks(const char* text) noexcept {
    // Not by memcpy, which compilers do in halves that are waited for together.
    for (std::size_t part = 0; part < registers; ++part) {
      parts_[part].value = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32 * part));
    }
  }
  FLOWKIT_AVX2 [[nodiscard]] std::uint64_t of(char character) const noexcept {
    const __m256i wanted = _mm256_set1_epi8(character);
    std::uint64_t mask = 0;
    for (std::size_t part = 0; part < registers; ++part) {
      const int equal = _mm256_movemask_epi8(_mm256_cmpeq_epi8(parts_[part].value, wanted));
      mask |= static_cast<std::uint64_t>(static_cast<unsigned>(equal)) << (32 * part);
    }
    return mask;
  }

 private:
  struct alignas(32) Register {
    __m256i value;
  };
  std::array<Register, registers> parts_;
};

#endif

/// Masks of a text of up to 64 code points of any kind.
class WideMasks {
 public:
  explicit WideMasks(const char32_t* text, std::int32_t size) noexcept : text_(text), size_(size) {}

  FLOWKIT_INLINE std::uint64_t of(char32_t point) const noexcept {
    std::uint64_t mask = 0;
    std::int32_t at = 0;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(point));
    for (; at + 4 <= size_; at += 4) {
      __m128i part;
      std::memcpy(&part, text_ + at, sizeof(part));
      const int equal = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(part, wanted)));
      mask |= static_cast<std::uint64_t>(static_cast<unsigned>(equal)) << at;
    }
#endif
    for (; at < size_; ++at) {
      mask |= static_cast<std::uint64_t>(text_[at] == point) << at;
    }
    return mask;
  }

 private:
  const char32_t* text_;
  std::int32_t size_;
};

/// Masks of a text of any length, in words of 64 positions; code points that are not in it have
/// none. Kept from pair to pair, so that its memory is.
class LongMasks {
 public:
  void set(std::span<const char32_t> text) {
    words_ = (text.size() + 63) / 64;
    std::size_t slots = 64;
    while (slots < text.size() * 2) {
      slots *= 2;
    }
    slots_.assign(slots, {0, missing});
    masks_.clear();
    for (std::size_t at = 0; at < text.size(); ++at) {
      Slot& slot = slots_[find(text[at])];
      if (slot.begin == missing) {
        slot = {text[at], masks_.size()};
        masks_.resize(masks_.size() + words_);
      }
      masks_[slot.begin + at / 64] |= std::uint64_t{1} << (at % 64);
    }
  }

  [[nodiscard]] std::size_t words() const noexcept { return words_; }

  /// Returns the words of a code point, or null.
  [[nodiscard]] const std::uint64_t* of(char32_t point) const noexcept {
    const Slot& slot = slots_[find(point)];
    return slot.begin == missing ? nullptr : &masks_[slot.begin];
  }

 private:
  static constexpr std::size_t missing = ~std::size_t{0};
  struct Slot {
    char32_t point;
    std::size_t begin;
  };

  [[nodiscard]] std::size_t find(char32_t point) const noexcept {
    std::size_t at = (point * 0x9e3779b1U) & (slots_.size() - 1);
    while (slots_[at].begin != missing && slots_[at].point != point) {
      at = (at + 1) & (slots_.size() - 1);
    }
    return at;
  }

  std::size_t words_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> masks_;
};

}  // namespace flowkit
