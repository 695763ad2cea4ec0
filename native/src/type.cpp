#include "type.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "guarded.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

struct Known {
  std::string_view format;
  Kind kind;
  std::int64_t width;
  Unit unit = Unit::second;
  std::int64_t precision = 0;
};

constexpr std::array known_types{
    Known{"b", Kind::boolean, 0},
    Known{"c", Kind::int8, 1},
    Known{"C", Kind::uint8, 1},
    Known{"s", Kind::int16, 2},
    Known{"S", Kind::uint16, 2},
    Known{"i", Kind::int32, 4},
    Known{"I", Kind::uint32, 4},
    Known{"l", Kind::int64, 8},
    Known{"L", Kind::uint64, 8},
    Known{"e", Kind::float16, 2},
    Known{"f", Kind::float32, 4},
    Known{"g", Kind::float64, 8},
    Known{"u", Kind::utf8, 4},
    Known{"U", Kind::large_utf8, 8},
    Known{"vu", Kind::utf8_view, 16},
    Known{"z", Kind::binary, 4},
    Known{"Z", Kind::large_binary, 8},
    Known{"vz", Kind::binary_view, 16},
    Known{"tdD", Kind::date32, 4},
    Known{"tdm", Kind::date64, 8},
    Known{"tts", Kind::time32, 4, Unit::second},
    Known{"ttm", Kind::time32, 4, Unit::milli},
    Known{"ttu", Kind::time64, 8, Unit::micro},
    Known{"ttn", Kind::time64, 8, Unit::nano},
    Known{"tDs", Kind::duration, 8, Unit::second},
    Known{"tDm", Kind::duration, 8, Unit::milli},
    Known{"tDu", Kind::duration, 8, Unit::micro},
    Known{"tDn", Kind::duration, 8, Unit::nano},
};

// These end in a time zone.
constexpr std::array known_timestamps{
    Known{"tss:", Kind::timestamp, 8, Unit::second},
    Known{"tsm:", Kind::timestamp, 8, Unit::milli},
    Known{"tsu:", Kind::timestamp, 8, Unit::micro},
    Known{"tsn:", Kind::timestamp, 8, Unit::nano},
};

std::optional<std::int64_t> whole_number(std::string_view text) noexcept {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return {};
  }
  return number;
}

/// Returns the precision of `precision,scale` or `precision,scale,128`, if they are that.
std::optional<std::int64_t> decimal128_precision(std::string_view parameters) noexcept {
  const auto comma = parameters.find(',');
  if (comma == std::string_view::npos) {
    return {};
  }
  const auto precision = whole_number(parameters.substr(0, comma));
  auto rest = parameters.substr(comma + 1);
  if (rest.ends_with(",128")) {
    rest.remove_suffix(4);
  }
  if (!precision || *precision < 1 || *precision > 38 || !whole_number(rest)) {
    return {};
  }
  return precision;
}

std::optional<Known> find_type(std::string_view format) noexcept {
  for (const Known& known : known_types) {
    if (format == known.format) {
      return known;
    }
  }
  for (const Known& known : known_timestamps) {
    if (format.starts_with(known.format)) {
      return known;
    }
  }
  if (format.starts_with("d:")) {
    if (const auto precision = decimal128_precision(format.substr(2))) {
      return Known{format, Kind::decimal128, 16, Unit::second, *precision};
    }
  }
  if (format.starts_with("w:")) {
    const auto width = whole_number(format.substr(2));
    if (width && *width >= 1 && *width <= (std::int64_t{1} << 30)) {
      return Known{format, Kind::fixed_binary, *width};
    }
  }
  return {};
}

}  // namespace

Type parse_type(const ArrowSchema& schema) {
  require(schema.release != nullptr, "the schema of the array has been released");
  require(schema.format != nullptr, "the schema of the array has no format");
  const std::string_view format = schema.format;
  require(schema.dictionary == nullptr,
          "the array is dictionary-encoded; decode it first, for example by a cast");
  const auto known = find_type(format);
  if (!known) {
    throw InvalidData("arrays of Arrow format `" + std::string(front_of(format, 40)) +
                      "` are not supported");
  }
  require(schema.n_children == 0, "the schema has children, and its format allows none");
  return {known->kind, known->unit, known->width, known->precision, std::string(format)};
}

void refuse_type(const Type& type, std::string_view what) {
  throw InvalidData(std::string(what) + " does not take arrays of Arrow format `" +
                    std::string(front_of(type.format, 40)) + "`");
}

}  // namespace flowkit
