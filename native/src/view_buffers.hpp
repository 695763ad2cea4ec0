#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "buffer.hpp"

namespace flowkit {

/// The bytes that long views point to, in buffers that are filled one after the other.
class ViewBuffers {
 public:
  /// Where bytes are, as a view says it.
  struct Place {
    std::int32_t buffer;
    std::int32_t offset;
  };

  /// No buffer grows beyond `largest` bytes, the end of what an offset can tell; no value is
  /// longer.
  explicit ViewBuffers(std::size_t largest = std::numeric_limits<std::int32_t>::max()) noexcept
      : largest_(largest) {}

  Place add(std::string_view bytes) {
    if (buffers_.empty() || bytes.size() > largest_ - buffers_.back().size()) {
      buffers_.emplace_back();
    }
    const Place place{static_cast<std::int32_t>(buffers_.size() - 1),
                      static_cast<std::int32_t>(buffers_.back().size())};
    buffers_.back().insert(buffers_.back().end(), bytes.begin(), bytes.end());
    return place;
  }

  [[nodiscard]] std::vector<Values<char>> take() && noexcept { return std::move(buffers_); }

 private:
  std::size_t largest_;
  std::vector<Values<char>> buffers_;
};

}  // namespace flowkit
