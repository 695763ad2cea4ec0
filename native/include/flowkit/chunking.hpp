#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flowkit/status.hpp"

namespace flowkit {

/// Bounds of a chunk's size in bytes; `window <= min <= average <= max <= largest` must hold.
struct ChunkSizes {
  /// A cut depends on this many bytes before it, and on nothing else but the previous cut.
  static constexpr std::int64_t window = 64;
  static constexpr std::int64_t largest = std::int64_t{1} << 30;

  std::int64_t min;
  std::int64_t average;
  std::int64_t max;
};

/// Cuts `data` where its contents say so: an edit moves only the cuts near it.
///
/// FastCDC (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
/// Deduplication", USENIX ATC 2016) with a 64-bit gear hash and normalised chunking:
///
/// - `gear[b]` is output number `b` of SplitMix64 seeded with 0 (Steele et al., OOPSLA 2014).
/// - The hash before an offset is that of the 64 bytes there: `hash = 2 * hash + gear[byte]`,
///   modulo 2^64, so that older bytes have been shifted out.
/// - Let `unit = floor((2^64 - 1) / average)`. A chunk ends at the first length from `min` on
///   whose hash is below `floor(unit / 4)`, from `average` on below `4 * unit`, and at `max`.
///   What is left at the end is the last chunk and may be shorter than `min`.
///
/// Stored recipes rely on these rules: the same bytes and sizes give the same cuts for ever.
///
/// `cuts` receives the end offset of each chunk, rising; the last is `data.size()`. Empty data has
/// no chunk. Returns invalid_data for sizes that are out of order, and then leaves `cuts` alone.
Status chunk_boundaries(std::span<const std::byte> data, const ChunkSizes& sizes,
                        std::vector<std::int64_t>& cuts) noexcept;

}  // namespace flowkit
