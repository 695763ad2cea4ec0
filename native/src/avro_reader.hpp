#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "avro_schema.hpp"
#include "buffer.hpp"
#include "guarded.hpp"

namespace flowkit {

/// Reads Avro's binary encoding; throws InvalidData rather than read past the end.
class AvroReader {
 public:
  explicit AvroReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }

  std::int64_t integer() {
    std::uint64_t value = 0;
    const std::size_t most = std::min<std::size_t>(rest_.size(), 10);
    for (std::size_t at = 0; at < most; ++at) {
      const auto byte = std::to_integer<std::uint64_t>(rest_[at]);
      value |= (byte & 0x7fU) << (7 * at);
      if (byte < 0x80U) {
        require(at < 9 || byte <= 1, "an Avro number has more than 64 bits");
        rest_ = rest_.subspan(at + 1);
        return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1));
      }
    }
    require(most == 10, "the Avro data end early");
    throw InvalidData("an Avro number has more than 64 bits");
  }

  std::span<const std::byte> take(std::size_t size) {
    require(size <= rest_.size(), "the Avro data end early");
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  /// Takes bytes or a string, with its length in front.
  std::string_view bytes() {
    const std::int64_t size = integer();
    require(size >= 0, "a length in the Avro data is negative");
    const auto taken = take(static_cast<std::size_t>(size));
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }

  bool boolean() {
    const auto byte = std::to_integer<unsigned>(take(1)[0]);
    require(byte <= 1, "an Avro boolean is neither 0 nor 1");
    return byte == 1;
  }

  template <typename T>
  T floating() {
    return load<T>(take(sizeof(T)).data());
  }

  /// Calls `item` for each item of an array, or each entry of a map.
  template <typename Item>
  void items(const Item& item) {
    while (true) {
      std::int64_t count = integer();
      if (count == 0) {
        return;
      }
      if (count < 0) {
        require(count >= -static_cast<std::int64_t>(rest_.size()), too_many);
        count = -count;
        (void)integer();  // the size in bytes, for those that skip
      }
      // An item of no bytes would cost nothing and could be had without end.
      require(count <= static_cast<std::int64_t>(rest_.size()), too_many);
      for (std::int64_t at = 0; at < count; ++at) {
        item();
      }
    }
  }

  /// Reads a value and forgets it.
  void skip(const AvroType& type);

 private:
  static constexpr std::string_view too_many = "an Avro array has more items than bytes";

  std::span<const std::byte> rest_;
};

}  // namespace flowkit
