#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "avro_reader.hpp"
#include "avro_schema.hpp"
#include "buffer.hpp"

namespace flowkit {

/// An Avro object container file, with blocks that are deflated or as they are.
///
/// Source: Avro 1.11 specification, "Object Container Files".
class AvroFile {
 public:
  /// Reads the header. Throws InvalidData if it is malformed or names another codec.
  explicit AvroFile(std::span<const std::byte> file);

  [[nodiscard]] const AvroType& schema() const noexcept { return schema_; }

  /// Calls `record(reader)` for each record, which must read all of it. Once only.
  template <typename Record>
  void for_records(const Record& record) {
    std::int64_t count = 0;
    for (auto block = next_block(count); count != 0; block = next_block(count)) {
      AvroReader reader(block);
      for (; count > 0; --count) {
        record(reader);
      }
      require(reader.left() == 0, "a block of the Avro file has bytes behind its records");
    }
  }

 private:
  /// Returns the next block, and in `count` how many records are in it: 0 at the end.
  std::span<const std::byte> next_block(std::int64_t& count);

  AvroReader reader_;
  AvroType schema_;
  bool deflated_ = false;
  std::span<const std::byte> sync_;
  Values<std::byte> unpacked_;
};

}  // namespace flowkit
