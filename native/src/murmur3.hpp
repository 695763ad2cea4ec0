#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "buffer.hpp"

namespace flowkit {

/// MurmurHash3_x86_32 with seed 0 (Appleby, public domain), as Iceberg's buckets want it.
class Murmur3 {
 public:
  static std::uint32_t hash(std::string_view bytes) noexcept {
    std::uint32_t state = 0;
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 4; left -= 4, at += 4) {
      state = add(state, load<std::uint32_t>(at));
    }
    std::uint32_t tail = 0;
    for (std::size_t byte = left; byte > 0; --byte) {
      tail = (tail << 8U) | static_cast<std::uint8_t>(at[byte - 1]);
    }
    return finish(state ^ mix(tail), static_cast<std::uint32_t>(bytes.size()));
  }

  /// The hash of the eight bytes of an integer, little end first.
  static std::uint32_t hash(std::int64_t number) noexcept {
    const auto bits = static_cast<std::uint64_t>(number);
    const auto low = add(0, static_cast<std::uint32_t>(bits));
    return finish(add(low, static_cast<std::uint32_t>(bits >> 32U)), 8);
  }

 private:
  static std::uint32_t mix(std::uint32_t word) noexcept {
    return std::rotl(word * 0xcc9e2d51U, 15) * 0x1b873593U;
  }
  static std::uint32_t add(std::uint32_t state, std::uint32_t word) noexcept {
    return std::rotl(state ^ mix(word), 13) * 5U + 0xe6546b64U;
  }
  static std::uint32_t finish(std::uint32_t state, std::uint32_t size) noexcept {
    state ^= size;
    state = (state ^ (state >> 16U)) * 0x85ebca6bU;
    state = (state ^ (state >> 13U)) * 0xc2b2ae35U;
    return state ^ (state >> 16U);
  }
};

}  // namespace flowkit
