#include <array>
#include <limits>
#include <utility>

#include "array_node.hpp"
#include "bucket_integers.hpp"
#include "column.hpp"
#include "flowkit/transforms.hpp"
#include "guarded.hpp"
#include "murmur3.hpp"
#include "parallel.hpp"
#include "remainder.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 1 << 16;

std::int64_t micros(std::int64_t value, Unit unit) {
  switch (unit) {
    case Unit::second:
    case Unit::milli: {
      const std::int64_t factor = unit == Unit::second ? 1000000 : 1000;
      const std::int64_t most = std::numeric_limits<std::int64_t>::max() / factor;
      require(value >= -most && value <= most, "a time is out of the range of microseconds");
      return value * factor;
    }
    case Unit::micro:
      return value;
    case Unit::nano:
      break;
  }
  return value / 1000 - static_cast<std::int64_t>(value % 1000 < 0);
}

/// Hashes the fewest bytes that hold a number of 16 bytes, in two's complement, big end first.
std::uint32_t hash_decimal(std::string_view little_endian) noexcept {
  std::array<char, 16> big{};
  for (std::size_t at = 0; at < big.size(); ++at) {
    big[at] = little_endian[big.size() - 1 - at];
  }
  const char sign = big[0] < 0 ? '\xff' : '\0';
  std::size_t first = 0;
  while (first < 15 && big[first] == sign && ((big[first + 1] ^ sign) & 0x80) == 0) {
    ++first;
  }
  return Murmur3::hash(std::string_view(big.data() + first, big.size() - first));
}

template <typename Hash>
Status fill(const Column& column, Remainder remainder, int threads, Values<std::int32_t>& buckets,
            const Hash& hash) {
  return in_parallel(column.length(), piece_rows, threads, [&](std::int64_t from, std::int64_t to) {
    column.for_parts(from, to,
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
                       std::int32_t* out = buckets.data() + row;
                       for (; at < end; ++at) {
                         *out++ = remainder.of(hash(chunk, at) & 0x7fffffffU);
                       }
                     });
  });
}

/// As `fill`, where the bytes of a null may be anything and must not be looked at.
template <typename Hash>
Status fill_valid(const Column& column, Remainder remainder, int threads,
                  Values<std::int32_t>& buckets, const Hash& hash) {
  return fill(column, remainder, threads, buckets, [&](const Chunk& chunk, std::int64_t at) {
    return chunk.is_null(at) ? 0U : hash(chunk, at);
  });
}

/// For values that are integers of 4 or 8 bytes as they lie in memory, most of what is partitioned.
Status fill_integers(const Column& column, Remainder remainder, int threads,
                     Values<std::int32_t>& buckets) {
  const Simd simd = best_simd();
  const std::int64_t width = column.type().width;
  return in_parallel(column.length(), piece_rows, threads, [&](std::int64_t from, std::int64_t to) {
    column.for_parts(from, to,
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
                       bucket_integers(chunk.values() + at * width, width, end - at, remainder,
                                       simd, buckets.data() + row);
                     });
  });
}

bool is_hashed_as_it_lies(const Type& type) noexcept {
  switch (type.kind) {
    case Kind::int32:
    case Kind::int64:
    case Kind::date32:
      return true;
    case Kind::time64:
    case Kind::timestamp:
      return type.unit == Unit::micro;
    default:
      return false;
  }
}

Status fill_by_type(const Column& column, Remainder remainder, int threads,
                    Values<std::int32_t>& buckets) {
  const Type& type = column.type();
  if (is_hashed_as_it_lies(type)) {
    return fill_integers(column, remainder, threads, buckets);
  }
  switch (type.kind) {
    case Kind::time32:
      return fill_valid(column, remainder, threads, buckets,
                        [unit = type.unit](const Chunk& chunk, std::int64_t at) {
                          return Murmur3::hash(micros(chunk.value<std::int32_t>(at), unit));
                        });
    case Kind::time64:
    case Kind::timestamp:
      return fill_valid(column, remainder, threads, buckets,
                        [unit = type.unit](const Chunk& chunk, std::int64_t at) {
                          return Murmur3::hash(micros(chunk.value<std::int64_t>(at), unit));
                        });
    case Kind::decimal128:
      return fill(column, remainder, threads, buckets, [](const Chunk& chunk, std::int64_t at) {
        return hash_decimal(chunk.fixed(at, 16));
      });
    case Kind::fixed_binary:
      return fill(column, remainder, threads, buckets,
                  [width = type.width](const Chunk& chunk, std::int64_t at) {
                    return Murmur3::hash(chunk.fixed(at, width));
                  });
    case Kind::uint64:
      refuse_type(type, "bucket");
    default:
      break;
  }
  Status status;
  if (type.is_integer()) {
    with_integer(type, "bucket", [&]<typename T>(T) {
      status = fill(column, remainder, threads, buckets, [](const Chunk& chunk, std::int64_t at) {
        return Murmur3::hash(static_cast<std::int64_t>(chunk.value<T>(at)));
      });
    });
  } else {
    with_bytes(type, "bucket", [&](auto bytes_of) {
      status = fill_valid(column, remainder, threads, buckets,
                          [bytes_of](const Chunk& chunk, std::int64_t at) {
                            return Murmur3::hash(bytes_of(chunk, at));
                          });
    });
  }
  return status;
}

}  // namespace

Status bucket(const Chunks& chunks, std::int32_t count, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    require(count >= 1, "the number of buckets must be at least 1");
    const Column column(chunks, "values");
    Values<std::int32_t> buckets(static_cast<std::size_t>(column.length()));
    const Remainder remainder(static_cast<std::uint32_t>(count));
    if (Status status = fill_by_type(column, remainder, threads, buckets); !status.ok()) {
      return status;
    }
    out = make_array("i", column.length(), std::move(buckets), column.validity(),
                     column.null_count());
    return {};
  });
}

}  // namespace flowkit
