#include "avro_reader.hpp"

namespace flowkit {

void AvroReader::skip(const AvroType& type) {
  using Kind = AvroType::Kind;
  switch (type.kind) {
    case Kind::null:
      return;
    case Kind::boolean:
      (void)take(1);
      return;
    case Kind::integer:
    case Kind::enumeration:
      (void)integer();
      return;
    case Kind::float32:
      (void)take(4);
      return;
    case Kind::float64:
      (void)take(8);
      return;
    case Kind::bytes:
    case Kind::text:
      (void)bytes();
      return;
    case Kind::fixed:
      (void)take(static_cast<std::size_t>(type.size));
      return;
    case Kind::record:
      for (const AvroType& part : type.parts) {
        skip(part);
      }
      return;
    case Kind::array:
      items([&] { skip(type.parts[0]); });
      return;
    case Kind::map:
      items([&] {
        (void)bytes();
        skip(type.parts[0]);
      });
      return;
    case Kind::alternatives: {
      const std::int64_t branch = integer();
      require(branch >= 0 && branch < std::ssize(type.parts),
              "a value in the Avro data is of no alternative of its union");
      skip(type.parts[static_cast<std::size_t>(branch)]);
      return;
    }
  }
}

}  // namespace flowkit
