#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowkit {

/// A type of Avro, with what Iceberg adds to it: ids of fields and logical types.
struct AvroType {
  enum class Kind : std::uint8_t {
    null,
    boolean,
    integer,  ///< `int` or `long`, which are written alike
    float32,
    float64,
    bytes,
    text,
    fixed,
    enumeration,
    record,
    array,
    map,
    alternatives,  ///< a union
  };
  enum class Logical : std::uint8_t {
    none,
    date,
    time_micros,
    timestamp_micros,
    timestamp_nanos,
    decimal,
    uuid,
  };

  Kind kind = Kind::null;
  Logical logical = Logical::none;
  bool is_long = false;   ///< of an integer
  bool is_utc = false;    ///< of a timestamp: it is a moment and no local time
  std::int64_t size = 0;  ///< bytes of a fixed, symbols of an enumeration
  std::int64_t precision = 0;
  std::int64_t scale = 0;
  std::int64_t field_id = -1;   ///< of a field of a record, if it has one
  std::string name;             ///< of a field of a record
  std::vector<AvroType> parts;  ///< fields, the item, the value of a map, or alternatives
};

/// Parses a schema. Throws InvalidData if it is malformed, contains itself or is absurdly large.
AvroType parse_avro_schema(std::string_view json);

}  // namespace flowkit
