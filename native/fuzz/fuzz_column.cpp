// The input is an array in the C data interface: fields that may be wrong, and the bytes of its
// buffers, which are as large as the interface lets a reader assume.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "flowkit/arrow_c.h"
#include "flowkit/blocking.hpp"
#include "flowkit/gather.hpp"
#include "flowkit/partition.hpp"
#include "flowkit/transforms.hpp"

namespace {

constexpr std::array formats{"c",   "S",   "i", "l",  "L",    "g",     "u",       "U",
                             "vu",  "z",   "Z", "vz", "b",    "d:9,2", "w:5",     "tdD",
                             "tts", "ttn", "n", "+l", "tsu:", "tsn:",  "tss:UTC", "d:38,4,128"};
constexpr std::size_t buffer_size = 4096;

class Input {
 public:
  Input(const std::uint8_t* bytes, std::size_t size) : at_(bytes), left_(size) {}

  /// A small number, which is now and then an extreme one.
  std::int64_t number() {
    const auto byte = static_cast<std::int8_t>(next());
    return byte == 127 ? INT64_MAX : byte == -128 ? INT64_MIN : byte;
  }
  std::uint8_t next() {
    if (left_ == 0) {
      return 0;
    }
    --left_;
    return *at_++;
  }
  std::vector<std::uint8_t> buffer() {
    std::vector<std::uint8_t> made(buffer_size);
    const std::size_t size = std::min<std::size_t>(left_, std::size_t{next()} * 2);
    if (size != 0 && size <= left_) {
      std::memcpy(made.data(), at_, size);
      at_ += size;
      left_ -= size;
    }
    return made;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

/// Keeps offsets inside the buffer, as nothing but their order can be checked.
template <typename Offset>
void bound_offsets(std::vector<std::uint8_t>& buffer) {
  for (std::size_t at = 0; at + sizeof(Offset) <= buffer.size(); at += sizeof(Offset)) {
    Offset offset = 0;
    std::memcpy(&offset, &buffer[at], sizeof(Offset));
    offset = static_cast<Offset>(offset % Offset{4096});
    std::memcpy(&buffer[at], &offset, sizeof(Offset));
  }
}

template <typename T>
void released(T* given) {
  given->release = nullptr;
}

void require(bool claim) {
  if (!claim) {
    std::abort();
  }
}

void check(const flowkit::Status& status) {
  require(status.ok() || status.code() == flowkit::Status::Code::invalid_data);
}

/// Takes the first rows, which are there or not.
void take_rows(const flowkit::Chunks& chunks) {
  constexpr std::array<std::uint8_t, 4> rows{1, 0, 2, 0};
  std::array<const void*, 2> pointers{nullptr, rows.data()};
  ArrowSchema schema{};
  schema.format = "C";
  schema.release = &released<ArrowSchema>;
  ArrowArray array{};
  array.length = rows.size();
  array.n_buffers = pointers.size();
  array.buffers = pointers.data();
  array.release = &released<ArrowArray>;
  const ArrowArray* pointer = &array;
  flowkit::Array out;
  check(flowkit::gather(chunks, {&schema, &pointer, 1}, 1, out));
}

/// Reads all pairs, which are of rows that are there.
void read_pairs(const flowkit::PairBatches& batches, std::int64_t rows) {
  std::unique_ptr<flowkit::PairReader> reader;
  require(batches.read(reader).ok());
  flowkit::Array left;
  flowkit::Array right;
  do {
    require(reader->next(left, right).ok() && left.length() == right.length());
    for (const flowkit::Array& side : {left, right}) {
      ArrowArray exported{};
      require(side.export_array(&exported).ok());
      const auto* index = static_cast<const std::int32_t*>(exported.buffers[1]);
      require(std::all_of(index, index + exported.length,
                          [&](std::int32_t row) { return row >= 0 && row < rows; }));
      exported.release(&exported);
    }
  } while (left.length() != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Input input(bytes, size);
  const std::string format = formats[input.next() % formats.size()];
  ArrowSchema schema{};
  schema.format = format.c_str();
  schema.name = "";
  schema.release = &released<ArrowSchema>;
  ArrowArray array{};
  array.length = input.number();
  array.offset = input.number();
  array.null_count = input.number();
  array.n_buffers = input.next() % 6;
  array.release = &released<ArrowArray>;
  const std::uint8_t missing = input.next();
  std::vector<std::vector<std::uint8_t>> buffers(6);
  std::vector<const void*> pointers(6);
  for (std::size_t at = 0; at < buffers.size(); ++at) {
    buffers[at] = input.buffer();
    pointers[at] = ((missing >> at) & 1U) == 0 ? buffers[at].data() : nullptr;
  }
  if (format == "u" || format == "z") {
    bound_offsets<std::int32_t>(buffers[1]);
  }
  if (format == "U" || format == "Z") {
    bound_offsets<std::int64_t>(buffers[1]);
  }
  if (format == "vu" || format == "vz") {
    // The sizes of the buffers that views point into are what they say.
    const std::array<std::int64_t, 3> sizes{buffer_size, buffer_size, buffer_size};
    const auto last = static_cast<std::size_t>(std::max<std::int64_t>(array.n_buffers, 1) - 1);
    std::memcpy(buffers[last].data(), sizes.data(), sizeof(sizes));
  }
  array.buffers = pointers.data();
  const ArrowArray* pointer = &array;
  const flowkit::Chunks chunks{&schema, &pointer, 1};
  const auto argument = static_cast<std::int32_t>(input.number() % 1000);

  flowkit::Array out;
  flowkit::Array other;
  check(flowkit::bucket(chunks, argument, 1, out));
  check(flowkit::truncate(chunks, argument, 1, out));
  check(flowkit::calendar(chunks, flowkit::CalendarUnit::month, 1, out));
  check(flowkit::calendar(chunks, flowkit::CalendarUnit::hour, 1, out));
  check(flowkit::partition_permutation(chunks, argument, 1, out, other));
  check(flowkit::gather(chunks, chunks, 1, out));
  take_rows(chunks);
  flowkit::PairBatches batches;
  check(flowkit::key_blocks(chunks, nullptr, 100, batches));
  read_pairs(batches, array.length);
  check(flowkit::key_blocks(chunks, &chunks, 100, batches));
  read_pairs(batches, array.length);
  check(flowkit::sorted_neighbourhood(chunks, nullptr, argument, 100, batches));
  read_pairs(batches, array.length);
  check(flowkit::minhash_lsh(chunks, &chunks, {2, 3, argument % 4, 0}, 100, 1, batches));
  read_pairs(batches, array.length);
  return 0;
}
