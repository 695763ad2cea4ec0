#include "column.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

namespace flowkit {
namespace {

/// No array is longer.
constexpr std::int64_t longest = std::int64_t{1} << 48;

/// No array has values of more bytes together, those before its offset too: they would have no
/// addresses, and where one is could not be computed.
constexpr std::int64_t most_bytes = longest * 16;

std::int64_t count_set_bits(const std::uint8_t* bits, std::int64_t begin,
                            std::int64_t end) noexcept {
  std::int64_t count = 0;
  std::int64_t at = begin;
  for (; at < end && at % 8 != 0; ++at) {
    count += static_cast<std::int64_t>(bit_at(bits, at));
  }
  for (; at + 64 <= end; at += 64) {
    count += std::popcount(load<std::uint64_t>(bits + at / 8));
  }
  for (; at < end; ++at) {
    count += static_cast<std::int64_t>(bit_at(bits, at));
  }
  return count;
}

}  // namespace

Chunk::Chunk(const Type& type, const ArrowArray& array)
    : length_(array.length), offset_(array.offset) {
  require(array.release != nullptr, "the array has been released");
  require(length_ >= 0 && length_ <= longest, "the length of the array is out of range");
  require(offset_ >= 0 && offset_ <= longest, "the offset of the array is out of range");
  require(array.n_children == 0, "the array has children, and its format allows none");
  require(array.dictionary == nullptr, "the array has a dictionary, and its schema has none");
  if (type.is_view()) {
    require(array.n_buffers >= 3, "the array has too few buffers for its format");
  } else {
    const bool has_offsets = type.kind >= Kind::utf8;
    require(array.n_buffers == (has_offsets ? 3 : 2),
            "the array has the wrong number of buffers for its format");
  }
  require(array.buffers != nullptr, "the array has no buffers");
  check_validity(array);
  if (length_ == 0) {
    return;
  }
  require(array.buffers[1] != nullptr, "a buffer of the array is missing");
  values_ = static_cast<const std::byte*>(array.buffers[1]);
  if (type.kind != Kind::boolean) {
    require(offset_ + length_ <= most_bytes / type.width,
            "the length or the offset of the array is out of range for values of their width");
    values_ += offset_ * type.width;
  }
  if (type.is_view()) {
    check_views(array);
  } else if (type.kind >= Kind::utf8) {
    data_ = static_cast<const char*>(array.buffers[2]);
    if (type.width == 4) {
      check_offsets<std::int32_t>();
    } else {
      check_offsets<std::int64_t>();
    }
  }
}

void Chunk::check_validity(const ArrowArray& array) {
  require(array.null_count >= -1 && array.null_count <= length_,
          "the null count of the array is out of range");
  const auto* bits = static_cast<const std::uint8_t*>(array.buffers[0]);
  require(bits != nullptr || array.null_count <= 0, "the array has nulls and no validity bitmap");
  if (bits == nullptr || array.null_count == 0 || length_ == 0) {
    return;
  }
  // Counted here, as a wrong count would go on into every result.
  null_count_ = length_ - count_set_bits(bits, offset_, offset_ + length_);
  require(array.null_count == -1 || array.null_count == null_count_,
          "the null count of the array is not that of its validity bitmap");
  validity_ = null_count_ == 0 ? nullptr : bits;
}

template <typename Offset>
void Chunk::check_offsets() {
  const auto first = value<Offset>(0);
  auto rising = first >= 0;
  for (std::int64_t at = 0; at < length_; ++at) {
    rising &= value<Offset>(at) <= value<Offset>(at + 1);
  }
  require(rising, "the offsets of the array are negative or fall");
  require(data_ != nullptr || value<Offset>(length_) == 0, "a buffer of the array is missing");
  if (data_ == nullptr) {
    data_ = "";
  }
}

void Chunk::check_views(const ArrowArray& array) {
  const std::int64_t buffer_count = array.n_buffers - 3;
  const auto* sizes = static_cast<const std::byte*>(array.buffers[array.n_buffers - 1]);
  require(buffer_count == 0 || sizes != nullptr,
          "the sizes of the array's view buffers are missing");
  view_data_ = array.buffers + 2;
  for (std::int64_t at = 0; at < length_; ++at) {
    const auto view = value<View>(at);
    if (is_null(at) || (view.size >= 0 && view.size <= View::longest_inline)) {
      continue;
    }
    require(view.size > 0, "a view of the array has a negative size");
    require(view.buffer >= 0 && view.buffer < buffer_count && view_data_[view.buffer] != nullptr,
            "a view of the array points to a buffer that is not there");
    const auto buffer_size = load<std::int64_t>(sizes + view.buffer * std::int64_t{8});
    require(buffer_size >= 0, "the size of a view buffer of the array is negative");
    require(view.offset >= 0 && view.size <= buffer_size - std::int64_t{view.offset},
            "a view of the array points beyond its buffer");
  }
}

std::string_view Chunk::viewed(std::int64_t at) const noexcept {
  const auto view = value<View>(at);
  const auto size = static_cast<std::size_t>(view.size);
  if (view.size <= View::longest_inline) {
    return {reinterpret_cast<const char*>(values_ + at * std::int64_t{sizeof(View)} + 4), size};
  }
  return {static_cast<const char*>(view_data_[view.buffer]) + view.offset, size};
}

Column::Column(const Chunks& chunks, std::string_view role) {
  within(role, [&] {
    require(chunks.schema != nullptr, "there is no schema");
    require(chunks.count >= 0 && (chunks.count == 0 || chunks.arrays != nullptr),
            "there are no arrays");
    type_ = parse_type(*chunks.schema);
    chunks_.reserve(static_cast<std::size_t>(chunks.count));
    for (std::int64_t at = 0; at < chunks.count; ++at) {
      require(chunks.arrays[at] != nullptr, "an array is missing");
      const Chunk& chunk = chunks_.emplace_back(type_, *chunks.arrays[at]);
      require(length_ <= longest - chunk.length(), "the arrays are too long together");
      length_ += chunk.length();
      null_count_ += chunk.null_count();
    }
  });
}

Buffer Column::validity() const {
  if (null_count_ == 0) {
    return {};
  }
  Values<std::uint8_t> bits(static_cast<std::size_t>((length_ + 7) / 8), std::uint8_t{0});
  for_parts(
      0, length_, [&](const Chunk& chunk, std::int64_t begin, std::int64_t end, std::int64_t row) {
        for (std::int64_t at = begin; at < end; ++at, ++row) {
          const auto valid = static_cast<unsigned>(!chunk.is_null(at));
          bits[static_cast<std::size_t>(row / 8)] |= static_cast<std::uint8_t>(valid << (row % 8));
        }
      });
  return Buffer(std::move(bits));
}

}  // namespace flowkit
