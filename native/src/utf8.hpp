#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "buffer.hpp"

namespace flowkit {

/// Says whether all bytes are ASCII.
inline bool is_ascii(std::string_view text) noexcept {
  std::uint64_t bits = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    bits |= load<std::uint64_t>(text.data() + at);
  }
  for (; at < text.size(); ++at) {
    bits |= static_cast<std::uint8_t>(text[at]);
  }
  return (bits & 0x8080808080808080U) == 0;
}

/// Reads the code point at the front of `text`, which is not empty, and drops its bytes.
/// Returns one above the last code point if the bytes are not well-formed UTF-8.
inline char32_t next_code_point(std::string_view& text) noexcept {
  constexpr char32_t malformed = 0x110000;
  const auto first = static_cast<std::uint8_t>(text[0]);
  if (first < 0x80U) {
    text.remove_prefix(1);
    return first;
  }
  const std::size_t size = first >= 0xf0U ? 4 : first >= 0xe0U ? 3 : 2;
  if (first < 0xc2U || first > 0xf4U || text.size() < size) {
    return malformed;
  }
  char32_t point = first & (0x7fU >> size);
  for (std::size_t at = 1; at < size; ++at) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if ((byte & 0xc0U) != 0x80U) {
      return malformed;
    }
    point = (point << 6U) | (byte & 0x3fU);
  }
  const char32_t least = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
    return malformed;
  }
  text.remove_prefix(size);
  return point;
}

/// Says whether the bytes are well-formed UTF-8.
inline bool is_utf8(std::string_view text) noexcept {
  if (is_ascii(text)) {
    return true;
  }
  while (!text.empty()) {
    if (next_code_point(text) > 0x10ffff) {
      return false;
    }
  }
  return true;
}

/// Returns the front of `text`, at most `most` bytes, without a part of a code point at its end.
inline std::string_view front_of(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) {
    return text;
  }
  while (most > 0 && (static_cast<std::uint8_t>(text[most]) & 0xc0U) == 0x80U) {
    --most;
  }
  return text.substr(0, most);
}

}  // namespace flowkit
