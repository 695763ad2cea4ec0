#pragma once

#include <cstddef>
#include <cstdint>

#include "remainder.hpp"
#include "simd.hpp"

namespace flowkit {

/// Writes the Iceberg buckets of `count` integers of `width` 4 or 8 bytes, which need not be
/// aligned. The same with any instructions; `simd` must be something that the processor has.
void bucket_integers(const std::byte* values, std::int64_t width, std::int64_t count,
                     Remainder remainder, Simd simd, std::int32_t* out) noexcept;

}  // namespace flowkit
