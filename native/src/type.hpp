#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flowkit/arrow_c.h"

namespace flowkit {

enum class Kind : std::uint8_t {
  boolean,
  int8,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float16,
  float32,
  float64,
  decimal128,
  fixed_binary,
  date32,
  date64,
  time32,
  time64,
  timestamp,
  duration,
  // From here on values have their lengths with them.
  utf8,
  large_utf8,
  utf8_view,
  binary,
  large_binary,
  binary_view,
};

enum class Unit : std::uint8_t { second, milli, micro, nano };

/// A type of values, read from the format of a schema.
struct Type {
  Kind kind = Kind::boolean;
  Unit unit = Unit::second;
  std::int64_t width = 0;  ///< bytes of a value; of its offset or view if it has its length with it
  std::int64_t precision = 0;  ///< digits of a decimal
  std::string format;          ///< as it was given, with parameters

  [[nodiscard]] bool is_text() const noexcept {
    return kind == Kind::utf8 || kind == Kind::large_utf8 || kind == Kind::utf8_view;
  }
  [[nodiscard]] bool is_bytes() const noexcept { return kind >= Kind::binary; }
  [[nodiscard]] bool is_view() const noexcept {
    return kind == Kind::utf8_view || kind == Kind::binary_view;
  }
  [[nodiscard]] bool is_integer() const noexcept {
    return kind >= Kind::int8 && kind <= Kind::uint64;
  }
};

/// Checks a schema and reads its type. Throws InvalidData if it is malformed, released,
/// dictionary-encoded, or of a type that no kernel takes.
Type parse_type(const ArrowSchema& schema);

/// Throws InvalidData: `what` does not take this type.
[[noreturn]] void refuse_type(const Type& type, std::string_view what);

}  // namespace flowkit
