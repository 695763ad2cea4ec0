#include "avro_file.hpp"

#include <algorithm>

#include "inflate.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

constexpr std::string_view magic = "Obj\x01";
constexpr std::size_t sync_size = 16;
constexpr std::size_t largest_block = std::size_t{1} << 30U;

}  // namespace

AvroFile::AvroFile(std::span<const std::byte> file) : reader_(file) {
  const auto front = file.first(std::min(file.size(), magic.size()));
  require(std::ranges::equal(front, std::as_bytes(std::span(magic))), "this is not an Avro file");
  (void)reader_.take(magic.size());
  std::string_view schema;
  std::string_view codec = "null";
  reader_.items([&] {
    const std::string_view key = reader_.bytes();
    const std::string_view value = reader_.bytes();
    if (key == "avro.schema") {
      schema = value;
    } else if (key == "avro.codec") {
      codec = value;
    }
  });
  sync_ = reader_.take(sync_size);
  require(!schema.empty(), "the Avro file has no schema");
  schema_ = parse_avro_schema(schema);
  deflated_ = codec == "deflate";
  if (!deflated_ && codec != "null") {
    throw InvalidData("the Avro file is compressed with `" + std::string(front_of(codec, 40)) +
                      "`; only `deflate` and `null` are supported");
  }
}

std::span<const std::byte> AvroFile::next_block(std::int64_t& count) {
  count = 0;
  std::span<const std::byte> block;
  // An empty block is allowed, and says nothing.
  while (count == 0 && reader_.left() != 0) {
    count = reader_.integer();
    const std::int64_t size = reader_.integer();
    require(count >= 0 && size >= 0, "a block of the Avro file has a negative size");
    block = reader_.take(static_cast<std::size_t>(size));
    require(std::ranges::equal(reader_.take(sync_size), sync_),
            "a block of the Avro file does not end in the file's marker");
  }
  if (count != 0 && deflated_) {
    const std::size_t size = inflate(block, largest_block, unpacked_);
    block = std::span(unpacked_).first(size);
  }
  // A record of no bytes would cost nothing and could be had without end.
  require(count <= static_cast<std::int64_t>(block.size()),
          "a block of the Avro file has more records than bytes");
  return block;
}

}  // namespace flowkit
