#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
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

/// Writes the characters at the bits of `mask` one after the other, `words` times eight of them.
FLOWKIT_AVX2 inline void gather_characters(const char* text, std::uint64_t mask, int words,
                                           char* out) noexcept {
  for (int word = 0; word < words; ++word, text += 8, mask >>= 8U) {
    const std::uint64_t bytes = _pdep_u64(mask & 0xffU, 0x0101010101010101U) * 0xffU;
    const std::uint64_t gathered = _pext_u64(load<std::uint64_t>(text), bytes);
    std::memcpy(out, &gathered, sizeof(gathered));
    out += std::popcount(mask & 0xffU);
  }
}

/// The same without a branch that is hard to guess.
FLOWKIT_AVX2 inline int count_moved_avx2(const char* left, std::int32_t left_size,
                                         std::uint64_t taken, const char* right,
                                         std::int32_t right_size, std::uint64_t matched) noexcept {
  if (std::max(left_size, right_size) > 24) {
    return count_moved(left, taken, right, matched);
  }
  alignas(32) std::array<char, 32> from_left;
  alignas(32) std::array<char, 32> from_right;
  gather_characters(left, taken, 3, from_left.data());
  gather_characters(right, matched, 3, from_right.data());
  const auto* lefts = reinterpret_cast<const __m256i*>(from_left.data());
  const auto* rights = reinterpret_cast<const __m256i*>(from_right.data());
  const auto equal = static_cast<unsigned>(
      _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_load_si256(lefts), _mm256_load_si256(rights))));
  return std::popcount(_bzhi_u32(~equal, static_cast<unsigned>(std::popcount(taken))));
}

#endif

/// Where the code point `at` of one text may match in the other: `reach` positions before and
/// behind.
///
/// A band of ones that turns with `at`: what turns out at one end comes back at the other, among
/// positions that no text of this size has.
class TurningWindow {
 public:
  static constexpr std::int32_t longest_text = 43;

  FLOWKIT_INLINE explicit TurningWindow(unsigned reach) noexcept
      : band_(std::rotr((std::uint64_t{2} << (2 * reach)) - 1, static_cast<int>(reach))) {}
  FLOWKIT_INLINE std::uint64_t next() noexcept { return std::exchange(band_, std::rotl(band_, 1)); }

 private:
  std::uint64_t band_;
};

/// The same for texts of up to 64 code points: what the band loses is lost.
class GrowingWindow {
 public:
  FLOWKIT_INLINE explicit GrowingWindow(unsigned reach) noexcept
      : band_((std::uint64_t{2} << reach) - 1), left_(reach) {}
  FLOWKIT_INLINE std::uint64_t next() noexcept {
    const std::uint64_t band = band_;
    const unsigned grows = left_ == 0 ? 0U : 1U;
    band_ = (band << 1U) | grows;
    left_ -= grows;
    return band;
  }

 private:
  std::uint64_t band_;
  unsigned left_;
};

/// What two texts have in common: the positions, in each.
struct Matches {
  std::uint64_t left;
  std::uint64_t right;
};

template <typename Window, typename Masks, typename Character>
FLOWKIT_INLINE Matches match(const Masks& masks, std::int32_t left_size, const Character* right,
                             std::int32_t right_size, Window window) noexcept {
  const std::uint64_t rows = ~std::uint64_t{0} >> (64 - left_size);
  std::uint64_t free = rows;
  std::uint64_t matched = 0;
  std::uint64_t bit = 1;
  for (std::int32_t at = 0; at < right_size; ++at) {
    const std::uint64_t candidates = masks.of(right[at]) & window.next() & free;
    free ^= candidates & (~candidates + 1);
    matched |= candidates != 0 ? bit : 0;
    bit += bit;
  }
  return {rows ^ free, matched};
}

/// Jaro's similarity of two texts of 1 to 64 code points; `masks` are those of `left`.
template <Simd simd, typename Masks, typename Character>
FLOWKIT_INLINE double jaro_short(const Masks& masks, const Character* left, std::int32_t left_size,
                                 const Character* right, std::int32_t right_size) noexcept {
  const auto reach = static_cast<unsigned>(jaro_reach(left_size, right_size));
  const Matches found = std::max(left_size, right_size) <= TurningWindow::longest_text
                            ? match(masks, left_size, right, right_size, TurningWindow(reach))
                            : match(masks, left_size, right, right_size, GrowingWindow(reach));
  int moved = 0;
#if defined(__x86_64__)
  if constexpr (simd == Simd::avx2) {
    moved = count_moved_avx2(left, left_size, found.left, right, right_size, found.right);
  } else {
    moved = count_moved(left, found.left, right, found.right);
  }
#else
  moved = count_moved(left, found.left, right, found.right);
#endif
  return jaro_score(left_size, right_size, std::popcount(found.left), moved / 2);
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
