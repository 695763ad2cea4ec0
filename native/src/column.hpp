#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "flowkit/array.hpp"
#include "guarded.hpp"
#include "type.hpp"

namespace flowkit {

inline bool bit_at(const std::uint8_t* bits, std::int64_t at) noexcept {
  return ((bits[at / 8] >> (at % 8)) & 1) != 0;
}

/// A view as it lies in memory: the last three fields of a long value are where a short one is.
struct View {
  static constexpr std::int32_t longest_inline = 12;

  std::int32_t size;
  std::int32_t prefix;
  std::int32_t buffer;
  std::int32_t offset;
};

/// One checked array of a column. Index 0 is its first value: the offset of a slice is applied.
class Chunk {
 public:
  /// Throws InvalidData if the array is malformed.
  Chunk(const Type& type, const ArrowArray& array);

  [[nodiscard]] std::int64_t length() const noexcept { return length_; }
  [[nodiscard]] std::int64_t null_count() const noexcept { return null_count_; }
  [[nodiscard]] bool is_null(std::int64_t at) const noexcept {
    return validity_ != nullptr && !bit_at(validity_, offset_ + at);
  }

  /// The values, for a kernel that reads them in a loop of its own; not aligned.
  [[nodiscard]] const std::byte* values() const noexcept { return values_; }

  /// Value `at` of a type with values of the size of T.
  template <typename T>
  [[nodiscard]] T value(std::int64_t at) const noexcept {
    return load<T>(values_ + at * static_cast<std::int64_t>(sizeof(T)));
  }

  /// Value `at` of booleans.
  [[nodiscard]] bool boolean(std::int64_t at) const noexcept {
    return bit_at(reinterpret_cast<const std::uint8_t*>(values_), offset_ + at);
  }

  /// The bytes of value `at`, which is not null, of a type with values of `width` bytes.
  [[nodiscard]] std::string_view fixed(std::int64_t at, std::int64_t width) const noexcept {
    return {reinterpret_cast<const char*>(values_ + at * width), static_cast<std::size_t>(width)};
  }

  /// The bytes of value `at`, which is not null, of a type whose offsets are of type Offset.
  template <typename Offset>
  [[nodiscard]] std::string_view sliced(std::int64_t at) const noexcept {
    const auto begin = value<Offset>(at);
    return {data_ + begin, static_cast<std::size_t>(value<Offset>(at + 1) - begin)};
  }

  /// The bytes of value `at`, which is not null, of a view type.
  [[nodiscard]] std::string_view viewed(std::int64_t at) const noexcept;

 private:
  void check_validity(const ArrowArray& array);
  template <typename Offset>
  void check_offsets();
  void check_views(const ArrowArray& array);

  std::int64_t length_ = 0;
  std::int64_t offset_ = 0;  // of the validity bits
  std::int64_t null_count_ = 0;
  const std::uint8_t* validity_ = nullptr;  // null if nothing is null
  const std::byte* values_ = nullptr;       // values, offsets or views, from the first of the slice
  const char* data_ = nullptr;              // what offsets point into
  const void* const* view_data_ = nullptr;  // what views point into
};

/// A checked column.
class Column {
 public:
  /// Throws InvalidData, with `role` (a word such as `codes`) in front, if something is malformed.
  Column(const Chunks& chunks, std::string_view role);

  [[nodiscard]] const Type& type() const noexcept { return type_; }
  [[nodiscard]] const std::vector<Chunk>& chunks() const noexcept { return chunks_; }
  [[nodiscard]] std::int64_t length() const noexcept { return length_; }
  [[nodiscard]] std::int64_t null_count() const noexcept { return null_count_; }

  /// Returns the bitmap of an array of the same rows; an empty buffer if nothing is null.
  [[nodiscard]] Buffer validity() const;

  /// Calls `body(chunk, begin, end, row)` for the parts of rows [begin, end): values [begin, end)
  /// of a chunk, of which the first is row `row`.
  template <typename Body>
  void for_parts(std::int64_t begin, std::int64_t end, Body&& body) const {
    std::int64_t start = 0;
    for (const Chunk& chunk : chunks_) {
      const std::int64_t from = std::max(begin, start);
      const std::int64_t to = std::min(end, start + chunk.length());
      if (from < to) {
        body(chunk, from - start, to - start, from);
      }
      start += chunk.length();
    }
  }

 private:
  Type type_;
  std::vector<Chunk> chunks_;
  std::int64_t length_ = 0;
  std::int64_t null_count_ = 0;
};

/// Calls `body` with a value of the C++ type that the integers of `type` have.
template <typename Body>
void with_integer(const Type& type, std::string_view what, Body&& body) {
  switch (type.kind) {
    case Kind::int8:
      return body(std::int8_t{});
    case Kind::uint8:
      return body(std::uint8_t{});
    case Kind::int16:
      return body(std::int16_t{});
    case Kind::uint16:
      return body(std::uint16_t{});
    case Kind::int32:
      return body(std::int32_t{});
    case Kind::uint32:
      return body(std::uint32_t{});
    case Kind::int64:
      return body(std::int64_t{});
    case Kind::uint64:
      return body(std::uint64_t{});
    default:
      refuse_type(type, what);
  }
}

/// Calls `body` with a function from (chunk, at) to the bytes of a value that is not null, for a
/// type whose values have their lengths with them.
template <typename Body>
void with_bytes(const Type& type, std::string_view what, Body&& body) {
  switch (type.kind) {
    case Kind::utf8:
    case Kind::binary:
      return body(
          [](const Chunk& chunk, std::int64_t at) { return chunk.sliced<std::int32_t>(at); });
    case Kind::large_utf8:
    case Kind::large_binary:
      return body(
          [](const Chunk& chunk, std::int64_t at) { return chunk.sliced<std::int64_t>(at); });
    case Kind::utf8_view:
    case Kind::binary_view:
      return body([](const Chunk& chunk, std::int64_t at) { return chunk.viewed(at); });
    default:
      refuse_type(type, what);
  }
}

}  // namespace flowkit
