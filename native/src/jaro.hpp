#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "buffer.hpp"
#include "masks.hpp"
#include "simd.hpp"

namespace flowkit {

/// Puts together Jaro's similarity of two texts that are not empty: of `matches` code points that
/// they have in common, of which `transpositions` pairs are in another order.
FLOWKIT_INLINE double jaro_score(std::int64_t left_size, std::int64_t right_size,
                                 std::int64_t matches, std::int64_t transpositions) noexcept {
  if (matches == 0) {
    return 0.0;
  }
  const auto common = static_cast<double>(matches);
  return (common / static_cast<double>(left_size) + common / static_cast<double>(right_size) +
          (common - static_cast<double>(transpositions)) / common) /
         3.0;
}

/// Code points match if they are this far from each other at most.
FLOWKIT_INLINE std::int64_t jaro_reach(std::int64_t left_size, std::int64_t right_size) noexcept {
  return std::max<std::int64_t>(std::max(left_size, right_size) / 2 - 1, 0);
}

/// Counts where the code points at the bits of `taken` in `left` and at those of `matched` in
/// `right`, both in order, differ.
template <typename Character>
FLOWKIT_INLINE int count_moved(const Character* left, std::uint64_t taken, const Character* right,
                               std::uint64_t matched) noexcept {
  int moved = 0;
  while (taken != 0) {
    moved += static_cast<int>(left[std::countr_zero(taken)] != right[std::countr_zero(matched)]);
    taken &= taken - 1;
    matched &= matched - 1;
  }
  return moved;
}

#if defined(__x86_64__)

/// Writes the characters at the bits of `mask` one after the other, eight at a time.
FLOWKIT_AVX2 inline void gather_characters(const char* text, std::int32_t size, std::uint64_t mask,
                                           char* out) noexcept {
  for (std::int32_t at = 0; at < size; at += 8, mask >>= 8U) {
    const std::uint64_t bytes = _pdep_u64(mask & 0xffU, 0x0101010101010101U) * 0xffU;
    const std::uint64_t gathered = _pext_u64(load<std::uint64_t>(text + at), bytes);
    std::memcpy(out, &gathered, sizeof(gathered));
    out += std::popcount(mask & 0xffU);
  }
}

/// The same without a branch that is hard to guess.
FLOWKIT_AVX2 inline int count_moved_avx2(const char* left, std::int32_t left_size,
                                         std::uint64_t taken, const char* right,
                                         std::int32_t right_size, std::uint64_t matched) noexcept {
  alignas(32) std::array<char, 72> from_left;
  alignas(32) std::array<char, 72> from_right;
  gather_characters(left, left_size, taken, from_left.data());
  gather_characters(right, right_size, matched, from_right.data());
  const int matches = std::popcount(taken);
  int moved = 0;
  for (int at = 0; at < matches; at += 8) {
    std::uint64_t differs =
        load<std::uint64_t>(from_left.data() + at) ^ load<std::uint64_t>(from_right.data() + at);
    // Characters are ASCII: the highest bit of a byte tells whether any other is set.
    differs = (differs + 0x7f7f7f7f7f7f7f7fU) & 0x8080808080808080U;
    const int left_over = matches - at;
    differs &= left_over >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * left_over)) - 1;
    moved += std::popcount(differs);
  }
  return moved;
}

#endif

/// Jaro's similarity of two texts of 1 to 64 code points; `masks` are those of `left`.
template <Simd simd, typename Masks, typename Character>
FLOWKIT_INLINE double jaro_short(const Masks& masks, const Character* left, std::int32_t left_size,
                                 const Character* right, std::int32_t right_size) noexcept {
  const auto reach = static_cast<unsigned>(jaro_reach(left_size, right_size));
  std::uint64_t free = ~std::uint64_t{0} >> (64 - left_size);  // of left, not matched yet
  std::uint64_t taken = 0;
  std::uint64_t matched = 0;  // of right
  std::uint64_t window = (std::uint64_t{2} << reach) - 1;
  std::uint64_t crossed = 0;
  for (std::int32_t at = 0; at < right_size; ++at) {
    const std::uint64_t candidates = masks.of(right[at]) & window & free;
    const std::uint64_t first = candidates & (~candidates + 1);
    // A match before one that was taken; none wraps to the largest number.
    crossed |= static_cast<std::uint64_t>(first - 1 < taken);
    free ^= first;
    taken |= first;
    matched |= static_cast<std::uint64_t>(candidates != 0) << at;
    window = (window << 1U) | static_cast<std::uint64_t>(static_cast<unsigned>(at) < reach);
  }
  const int matches = std::popcount(taken);
  int moved = 0;
  if (crossed != 0) {
#if defined(__x86_64__)
    if constexpr (simd == Simd::avx2) {
      moved = count_moved_avx2(left, left_size, taken, right, right_size, matched);
    } else {
      moved = count_moved(left, taken, right, matched);
    }
#else
    moved = count_moved(left, taken, right, matched);
#endif
  }
  return jaro_score(left_size, right_size, matches, moved / 2);
}

/// Memory for long texts, kept from pair to pair.
struct JaroScratch {
  LongMasks masks;
  std::vector<std::uint64_t> taken;
  std::vector<char32_t> from_right;
};

/// Jaro's similarity of two texts of any length that are not empty.
inline double jaro_long(std::span<const char32_t> left, std::span<const char32_t> right,
                        JaroScratch& scratch) {
  scratch.masks.set(left);
  scratch.taken.assign(scratch.masks.words(), 0);
  scratch.from_right.clear();
  const auto left_size = std::ssize(left);
  const auto right_size = std::ssize(right);
  const auto reach = jaro_reach(left_size, right_size);
  for (std::int64_t at = 0; at < right_size; ++at) {
    const std::uint64_t* mask = scratch.masks.of(right[static_cast<std::size_t>(at)]);
    const std::int64_t begin = std::max<std::int64_t>(at - reach, 0);
    const std::int64_t end = std::min(at + reach + 1, left_size);
    if (mask == nullptr || begin >= end) {
      continue;
    }
    for (std::int64_t word = begin / 64; word * 64 < end; ++word) {
      const auto place = static_cast<std::size_t>(word);
      std::uint64_t candidates = mask[place] & ~scratch.taken[place];
      if (word * 64 < begin) {
        candidates &= ~std::uint64_t{0} << (begin % 64);
      }
      if (end - word * 64 < 64) {
        candidates &= (std::uint64_t{1} << (end % 64)) - 1;
      }
      if (candidates != 0) {
        scratch.taken[place] |= candidates & (~candidates + 1);
        scratch.from_right.push_back(right[static_cast<std::size_t>(at)]);
        break;
      }
    }
  }
  std::int64_t moved = 0;
  std::size_t match = 0;
  for (std::size_t at = 0; at < left.size(); ++at) {
    if (((scratch.taken[at / 64] >> (at % 64)) & 1U) != 0) {
      moved += static_cast<std::int64_t>(left[at] != scratch.from_right[match++]);
    }
  }
  return jaro_score(left_size, right_size, std::ssize(scratch.from_right), moved / 2);
}

}  // namespace flowkit
