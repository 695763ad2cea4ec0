#pragma once

#include <cstdint>

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

// Iceberg's partition transforms, bit-equal to the table format's specification ("Partition
// Transforms" and appendix B, "32-bit Hash Requirements"). The rows of `chunks` come out as one
// array, null where the input is null. `threads` is at least 1. All return invalid_data for an
// array that is malformed or of a type that the transform does not take, and then leave `out`
// alone.

/// Puts each value into one of `count` (at least 1) buckets: int32, `hash & 0x7fffffff` modulo
/// `count`.
///
/// Takes integers (but uint64), decimal128, date32, time, timestamp (nanoseconds are cut down to
/// microseconds), strings, binary and fixed-size binary, thus also uuid. An integer, date, time or
/// timestamp is hashed as 64 bits.
Status bucket(const Chunks& chunks, std::int32_t count, int threads, Array& out) noexcept;

/// Cuts each value down to a multiple of `width` (at least 1), or to its first `width` code points
/// or bytes; of the type of the input, but views come out as large strings or binary.
///
/// Takes signed integers, decimal128 (whose unscaled value is cut), strings and binary. A number
/// goes down to the next multiple, so -1 goes to -10 for a width of 10; it is invalid_data if that
/// multiple is not a number of the type.
Status truncate(const Chunks& chunks, std::int32_t width, int threads, Array& out) noexcept;

/// Whole units of the calendar since 1970-01-01 00:00 UTC, rounded down.
enum class CalendarUnit : std::uint8_t { year, month, day, hour };

/// Counts years, months, days or hours: int32, date32 for days.
///
/// Takes date32 (not for hours) and timestamps of any unit and zone; they are taken as UTC.
/// Returns invalid_data for an hour or a day beyond 32 bits.
Status calendar(const Chunks& chunks, CalendarUnit unit, int threads, Array& out) noexcept;

}  // namespace flowkit
