#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "masks.hpp"
#include "simd.hpp"

namespace flowkit {

// Myers, "A Fast Bit-Vector Algorithm for Approximate String Matching", 1999, as simplified by
// Hyyrö, 2003: a column of the table of distances is two bits a row, whether the distance rises or
// falls from the row above.

/// Levenshtein's distance of a text of 1 to 64 code points, of which `masks` are, and another.
template <typename Masks, typename Character>
FLOWKIT_INLINE std::int32_t levenshtein_short(const Masks& masks, std::int32_t masked_size,
                                              const Character* text, std::int32_t size) noexcept {
  std::uint64_t rises = ~std::uint64_t{0};
  std::uint64_t falls = 0;
  for (std::int32_t at = 0; at < size; ++at) {
    const std::uint64_t equal = masks.of(text[at]);
    const std::uint64_t diagonal = (((equal & rises) + rises) ^ rises) | equal | falls;
    const std::uint64_t up = ((falls | ~(diagonal | rises)) << 1U) | 1U;
    const std::uint64_t down = (diagonal & rises) << 1U;
    rises = down | ~(diagonal | up);
    falls = up & diagonal;
  }
  // The last row is the first, which is `size`, and what it rises and falls by from there.
  const std::uint64_t rows = ~std::uint64_t{0} >> (64 - masked_size);
  return size + std::popcount(rises & rows) - std::popcount(falls & rows);
}

/// Memory for long texts, kept from pair to pair.
struct LevenshteinScratch {
  LongMasks masks;
  std::vector<std::uint64_t> rises;
  std::vector<std::uint64_t> falls;
};

/// Levenshtein's distance of two texts of any length that are not empty: as above, word by word,
/// each with what the one before it shifts out.
inline std::int32_t levenshtein_long(std::span<const char32_t> masked,
                                     std::span<const char32_t> text, LevenshteinScratch& scratch) {
  scratch.masks.set(masked);
  const std::size_t words = scratch.masks.words();
  scratch.rises.assign(words, ~std::uint64_t{0});
  scratch.falls.assign(words, 0);
  for (const char32_t point : text) {
    const std::uint64_t* mask = scratch.masks.of(point);
    std::uint64_t up_in = 1;
    std::uint64_t down_in = 0;
    for (std::size_t word = 0; word < words; ++word) {
      const std::uint64_t rises = scratch.rises[word];
      const std::uint64_t falls = scratch.falls[word];
      const std::uint64_t equal = (mask == nullptr ? 0 : mask[word]) | down_in;
      const std::uint64_t diagonal = (((equal & rises) + rises) ^ rises) | equal | falls;
      const std::uint64_t up = falls | ~(diagonal | rises);
      const std::uint64_t down = diagonal & rises;
      const std::uint64_t shifted_up = (up << 1U) | up_in;
      scratch.rises[word] = (down << 1U) | down_in | ~(diagonal | shifted_up);
      scratch.falls[word] = shifted_up & diagonal;
      up_in = up >> 63U;
      down_in = down >> 63U;
    }
  }
  auto distance = static_cast<std::int32_t>(text.size());
  for (std::size_t word = 0; word < words; ++word) {
    const std::size_t left = masked.size() - word * 64;
    const std::uint64_t rows = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
    distance += std::popcount(scratch.rises[word] & rows);
    distance -= std::popcount(scratch.falls[word] & rows);
  }
  return distance;
}

}  // namespace flowkit
