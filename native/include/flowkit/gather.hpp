#pragma once

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

/// Takes rows by their numbers: row r of the result is row `indices[r]` of `values`, and null where
/// that or the index is null.
///
/// `values` are of any type that the library reads, and the result is of the same; `indices` are
/// integers. Returns invalid_data for a malformed array, an index out of range, or a result too
/// long for the offsets of its type, and then leaves `out` alone.
Status gather(const Chunks& values, const Chunks& indices, int threads, Array& out) noexcept;

}  // namespace flowkit
