#include <limits>
#include <utility>

#include "array_node.hpp"
#include "column.hpp"
#include "flowkit/transforms.hpp"
#include "guarded.hpp"
#include "parallel.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 1 << 16;
constexpr std::int64_t an_hour = 3600;

/// Days that 32-bit arithmetic can turn into months: a million years both ways, more than all
/// microseconds of 64 bits.
constexpr std::int64_t furthest_day = 365 * 1000000;

template <typename T>
constexpr T divide_down(T number, T divisor) noexcept {
  return static_cast<T>(number / divisor - static_cast<T>(number % divisor < 0));
}

struct Month {
  std::int32_t year;
  std::int32_t month;  // 0 is January
};

/// Returns the month of a day, in the proleptic Gregorian calendar (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", civil_from_days): its years start in March, in eras of 400.
Month month_of(std::int32_t day) noexcept {
  constexpr std::int32_t days_an_era = 146097;
  const std::int32_t since = day + 719468;  // 0000-03-01
  const std::int32_t era = divide_down(since, days_an_era);
  const std::int32_t in_era = since - era * days_an_era;
  const std::int32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  const std::int32_t in_year = in_era - (365 * year + year / 4 - year / 100);
  const std::int32_t month = (5 * in_year + 2) / 153 + 2;
  return {era * 400 + year + static_cast<std::int32_t>(month >= 12), month % 12};
}

std::int32_t narrow(std::int64_t number) {
  require(number >= std::numeric_limits<std::int32_t>::min() &&
              number <= std::numeric_limits<std::int32_t>::max(),
          "a timestamp is out of the range of the transform");
  return static_cast<std::int32_t>(number);
}

std::int32_t count_days(std::int64_t day, CalendarUnit unit) {
  if (unit == CalendarUnit::day) {
    return narrow(day);
  }
  require(day >= -furthest_day && day <= furthest_day,
          "a timestamp is out of the range of the transform");
  const Month month = month_of(static_cast<std::int32_t>(day));
  const std::int32_t years = month.year - 1970;
  return unit == CalendarUnit::year ? years : years * 12 + month.month;
}

template <typename Count>
Status fill(const Column& column, int threads, Values<std::int32_t>& counts, const Count& count) {
  return in_parallel(column.length(), piece_rows, threads, [&](std::int64_t from, std::int64_t to) {
    column.for_parts(from, to,
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
                       std::int32_t* out = counts.data() + row;
                       for (; at < end; ++at) {
                         *out++ = chunk.is_null(at) ? 0 : count(chunk, at);
                       }
                     });
  });
}

/// `per_hour` is known to the compiler, which divides by it without a division.
template <std::int64_t per_hour>
Status fill_timestamps(const Column& column, CalendarUnit unit, int threads,
                       Values<std::int32_t>& counts) {
  if (unit == CalendarUnit::hour) {
    return fill(column, threads, counts, [](const Chunk& chunk, std::int64_t at) {
      return narrow(divide_down(chunk.value<std::int64_t>(at), per_hour));
    });
  }
  return fill(column, threads, counts, [unit](const Chunk& chunk, std::int64_t at) {
    return count_days(divide_down(chunk.value<std::int64_t>(at), per_hour * 24), unit);
  });
}

Status fill_by_type(const Column& column, CalendarUnit unit, int threads,
                    Values<std::int32_t>& counts) {
  const Type& type = column.type();
  if (type.kind == Kind::date32 && unit != CalendarUnit::hour) {
    return fill(column, threads, counts, [unit](const Chunk& chunk, std::int64_t at) {
      return count_days(chunk.value<std::int32_t>(at), unit);
    });
  }
  if (type.kind != Kind::timestamp) {
    refuse_type(type, "the transform");
  }
  switch (type.unit) {
    case Unit::second:
      return fill_timestamps<an_hour>(column, unit, threads, counts);
    case Unit::milli:
      return fill_timestamps<an_hour * 1000>(column, unit, threads, counts);
    case Unit::micro:
      return fill_timestamps<an_hour * 1000000>(column, unit, threads, counts);
    case Unit::nano:
      break;
  }
  return fill_timestamps<an_hour * 1000000000>(column, unit, threads, counts);
}

}  // namespace

Status calendar(const Chunks& chunks, CalendarUnit unit, int threads, Array& out) noexcept {
  return guarded([&]() -> Status {
    const Column column(chunks, "values");
    Values<std::int32_t> counts(static_cast<std::size_t>(column.length()));
    if (Status status = fill_by_type(column, unit, threads, counts); !status.ok()) {
      return status;
    }
    out = make_array(unit == CalendarUnit::day ? "tdD" : "i", column.length(), std::move(counts),
                     column.validity(), column.null_count());
    return {};
  });
}

}  // namespace flowkit
