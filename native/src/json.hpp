#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flowkit {

/// A JSON value, as far as schemas need it: numbers are whole, others are read and forgotten.
struct Json {
  enum class Kind : std::uint8_t { null, boolean, number, text, array, object };

  Kind kind = Kind::null;
  bool truth = false;
  std::optional<std::int64_t> number;
  std::string text;
  std::vector<Json> items;         ///< of an array, or the values of an object
  std::vector<std::string> names;  ///< of an object, one for each item

  /// Returns a member of an object, or null.
  [[nodiscard]] const Json* find(std::string_view name) const noexcept;
};

/// Parses a document (RFC 8259). Throws InvalidData if it is malformed or nests deeper than 64.
Json parse_json(std::string_view text);

}  // namespace flowkit
