#pragma once

#include <cstdint>

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

/// Sorts rows by their partition: a counting sort, which keeps the order within a partition.
///
/// `codes` are integers in [0, count), one a row, none null; there are at most 2^31 - 1 rows, and
/// `count` is at most their number, or 2^20 if they are fewer: it takes 24 bytes a partition.
/// `permutation` receives an int32 a row: the rows of partition 0, then those of 1, and so on.
/// `offsets` receives `count + 1` int64: partition p has `permutation[offsets[p] .. offsets[p +
/// 1])`.
///
/// Returns invalid_data for a malformed array, a null, or a code out of range, and then leaves the
/// results alone.
Status partition_permutation(const Chunks& codes, std::int64_t count, int threads,
                             Array& permutation, Array& offsets) noexcept;

}  // namespace flowkit
