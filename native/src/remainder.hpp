#pragma once

#include <bit>
#include <cstdint>

namespace flowkit {

/// Takes remainders of numbers below 2^31 by multiplication: exact (Granlund and Montgomery,
/// "Division by Invariant Integers using Multiplication", 1994), several times as fast as a
/// division, and in instructions that exist for vectors.
class Remainder {
 public:
  /// `divisor` is in [1, 2^31).
  explicit constexpr Remainder(std::uint32_t divisor) noexcept
      : divisor_(divisor),
        shift_(31U + static_cast<unsigned>(std::bit_width(divisor - 1))),
        inverse_(((std::uint64_t{1} << shift_) + divisor - 1) / divisor) {}

  [[nodiscard]] constexpr std::int32_t of(std::uint32_t number) const noexcept {
    const auto quotient = static_cast<std::uint32_t>((number * inverse_) >> shift_);
    return static_cast<std::int32_t>(number - quotient * divisor_);
  }

 private:
  std::uint32_t divisor_;
  unsigned shift_;
  std::uint64_t inverse_;
};

}  // namespace flowkit
