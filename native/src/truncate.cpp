#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "array_node.hpp"
#include "column.hpp"
#include "flowkit/transforms.hpp"
#include "guarded.hpp"
#include "parallel.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 1 << 15;

using Decimal = __int128;

/// Cuts `value` down to a multiple of `width`, which must be at least `least`.
template <typename T>
T cut_number(T value, std::int64_t width, T least) {
  using Wide = std::conditional_t<(sizeof(T) > 8), Decimal, std::int64_t>;
  const auto wide = static_cast<Wide>(value);
  auto remainder = static_cast<Wide>(wide % static_cast<Wide>(width));
  if (remainder < 0) {
    remainder += static_cast<Wide>(width);
  }
  require(wide >= static_cast<Wide>(least) + remainder,
          "a value cannot be truncated: the next multiple below is not a number of its type");
  return static_cast<T>(wide - remainder);
}

template <typename T>
Status cut_numbers(const Column& column, std::int64_t width, T least, int threads, Array& out) {
  Values<T> cut(static_cast<std::size_t>(column.length()));
  const auto body = [&](std::int64_t from, std::int64_t to) {
    column.for_parts(
        from, to, [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
          T* place = cut.data() + row;
          for (; at < end; ++at) {
            *place++ = chunk.is_null(at) ? T{0} : cut_number(chunk.value<T>(at), width, least);
          }
        });
  };
  Status status = in_parallel(column.length(), piece_rows, threads, body);
  if (status.ok()) {
    out = make_array(column.type().format, column.length(), std::move(cut), column.validity(),
                     column.null_count());
  }
  return status;
}

/// Returns the size in bytes of the first `count` code points; a code point starts at each byte
/// that does not continue one.
std::size_t size_of_code_points(std::string_view text, std::int64_t count) noexcept {
  if (text.size() <= static_cast<std::size_t>(count)) {
    return text.size();
  }
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool starts = (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
    if (starts && count-- == 0) {
      break;
    }
  }
  return at;
}

/// Calls `body(bytes, row)` for what is kept of each value that is not null.
template <typename BytesOf, typename Body>
void for_kept(const Column& column, std::int64_t width, const BytesOf& bytes_of, std::int64_t from,
              std::int64_t to, const Body& body) {
  const bool is_text = column.type().is_text();
  column.for_parts(
      from, to, [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
        for (; at < end; ++at, ++row) {
          if (chunk.is_null(at)) {
            body(std::string_view(), row);
            continue;
          }
          const std::string_view bytes = bytes_of(chunk, at);
          const auto size = is_text ? size_of_code_points(bytes, width)
                                    : std::min(bytes.size(), static_cast<std::size_t>(width));
          body(bytes.substr(0, size), row);
        }
      });
}

template <typename Offset, typename BytesOf>
Status cut_bytes(const Column& column, std::int64_t width, const std::string& format, int threads,
                 const BytesOf& bytes_of, Array& out) {
  const std::int64_t length = column.length();
  Values<Offset> offsets(static_cast<std::size_t>(length + 1));
  const auto measure = [&](std::int64_t from, std::int64_t to) {
    for_kept(column, width, bytes_of, from, to, [&](std::string_view bytes, std::int64_t row) {
      offsets[static_cast<std::size_t>(row + 1)] = static_cast<Offset>(bytes.size());
    });
  };
  Status status = in_parallel(length, piece_rows, threads, measure);
  if (!status.ok()) {
    return status;
  }
  offsets[0] = 0;
  std::int64_t total = 0;
  for (std::size_t at = 1; at < offsets.size(); ++at) {
    total += std::int64_t{offsets[at]};
    require(total <= std::numeric_limits<Offset>::max(),
            "the truncated values are too long together for the offsets of their type");
    offsets[at] = static_cast<Offset>(total);
  }
  Values<char> data(static_cast<std::size_t>(total));
  const auto copy = [&](std::int64_t from, std::int64_t to) {
    for_kept(column, width, bytes_of, from, to, [&](std::string_view bytes, std::int64_t row) {
      if (!bytes.empty()) {
        std::memcpy(data.data() + offsets[static_cast<std::size_t>(row)], bytes.data(),
                    bytes.size());
      }
    });
  };
  status = in_parallel(length, piece_rows, threads, copy);
  if (!status.ok()) {
    return status;
  }
  auto node = std::make_shared<ArrayNode>();
  node->format = format;
  node->length = length;
  node->null_count = column.null_count();
  node->buffers = {column.validity(), Buffer(std::move(offsets)), Buffer(std::move(data))};
  out = Array(std::move(node));
  return {};
}

Decimal least_decimal(std::int64_t precision) noexcept {
  Decimal power = 1;
  for (std::int64_t digit = 0; digit < precision; ++digit) {
    power *= 10;
  }
  return 1 - power;
}

Status cut_by_type(const Column& column, std::int64_t width, int threads, Array& out) {
  const Type& type = column.type();
  Status status;
  if (type.kind == Kind::decimal128) {
    return cut_numbers<Decimal>(column, width, least_decimal(type.precision), threads, out);
  }
  if (type.is_integer()) {
    with_integer(type, "truncate", [&]<typename T>(T) {
      if constexpr (std::is_signed_v<T>) {
        status = cut_numbers<T>(column, width, std::numeric_limits<T>::min(), threads, out);
      } else {
        refuse_type(type, "truncate");
      }
    });
    return status;
  }
  with_bytes(type, "truncate", [&](auto bytes_of) {
    if (type.width == 4) {
      status = cut_bytes<std::int32_t>(column, width, type.format, threads, bytes_of, out);
    } else {
      const std::string format = type.is_text() ? "U" : "Z";
      status = cut_bytes<std::int64_t>(column, width, format, threads, bytes_of, out);
    }
  });
  return status;
}

}  // namespace

Status truncate(const Chunks& chunks, std::int32_t width, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    require(width >= 1, "the width must be at least 1");
    const Column column(chunks, "values");
    return cut_by_type(column, width, threads, out);
  });
}

}  // namespace flowkit
