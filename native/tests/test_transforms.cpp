#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "arrays.hpp"
#include "bucket_integers.hpp"
#include "check.hpp"
#include "flowkit/partition.hpp"
#include "flowkit/transforms.hpp"
#include "remainder.hpp"

using flowkit::Array;
using flowkit::Remainder;
using flowkit::Simd;

namespace {

constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();

void remainders_are_those_of_a_division() {
  std::mt19937 random(1);
  for (const std::uint32_t divisor : {1U, 2U, 3U, 7U, 96U, 641U, 65536U, 1U << 30U, 0x7fffffffU}) {
    const Remainder remainder(divisor);
    const auto check = [&](std::uint32_t number) {
      CHECK(static_cast<std::uint32_t>(remainder.of(number)) == number % divisor);
    };
    for (const std::uint32_t number : {0U, 1U, divisor - 1, divisor & 0x7fffffffU, 0x7fffffffU}) {
      check(number);
    }
    for (int round = 0; round < 10000; ++round) {
      check(random() & 0x7fffffffU);
    }
  }
}

void the_specification_s_number_has_its_hash() {
  constexpr std::array<std::int64_t, 1> values{34};
  const Given given("l", 1, {nullptr, values.data()});
  Array out;
  CHECK(flowkit::bucket(given.chunks(), most, 1, out).ok());
  CHECK(numbers<std::int32_t>(out) == std::vector<std::int32_t>{2017239379});
}

template <typename T>
void vectors_change_nothing() {
  std::mt19937_64 random(2);
  std::vector<T> values(1001);
  for (T& value : values) {
    value = static_cast<T>(random());
  }
  const auto bytes = std::as_bytes(std::span(values));
  const auto with = [&](Simd simd, std::int64_t count) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(count));
    flowkit::bucket_integers(bytes.data(), sizeof(T), count, Remainder(97), simd, out.data());
    return out;
  };
  for (const std::int64_t count : {0, 1, 3, 7, 8, 9, 16, 17, 31, 1001}) {
    const auto expected = with(Simd::none, count);
    for (const Simd simd : {Simd::avx2, Simd::avx512}) {
      CHECK(simd > flowkit::best_simd() || with(simd, count) == expected);
    }
  }
}

void arguments_out_of_range_are_refused() {
  constexpr std::array<std::int64_t, 1> values{34};
  const Given given("l", 1, {nullptr, values.data()});
  Array out;
  Array other;
  for (const int wrong : {0, -1}) {
    CHECK(!flowkit::bucket(given.chunks(), wrong, 1, out).ok());
    CHECK(!flowkit::truncate(given.chunks(), wrong, 1, out).ok());
    CHECK(!flowkit::bucket(given.chunks(), 8, wrong, out).ok());
    CHECK(!flowkit::partition_permutation(given.chunks(), 100, wrong, out, other).ok());
  }
}

std::vector<std::int32_t> counted(const std::vector<std::int32_t>& days,
                                  flowkit::CalendarUnit unit) {
  const Given given("tdD", std::ssize(days), {nullptr, days.data()});
  Array out;
  CHECK(flowkit::calendar(given.chunks(), unit, 1, out).ok());
  return numbers<std::int32_t>(out);
}

/// The days of the month, which is 0 for January.
std::int32_t days_of(std::int32_t year, std::int32_t month) {
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (month == 1) {
    return is_leap ? 29 : 28;
  }
  return month == 3 || month == 5 || month == 8 || month == 10 ? 30 : 31;
}

void every_day_of_an_era_has_its_month() {
  std::vector<std::int32_t> days;
  std::vector<std::int32_t> months;
  std::vector<std::int32_t> years;
  std::int32_t day = 0;
  for (std::int32_t year = 1970; year <= 2410; ++year) {
    for (std::int32_t month = 0; month < 12; ++month) {
      for (std::int32_t left = days_of(year, month); left > 0; --left) {
        days.push_back(day++);
        months.push_back((year - 1970) * 12 + month);
        years.push_back(year - 1970);
      }
    }
  }
  using flowkit::CalendarUnit;
  CHECK(counted(days, CalendarUnit::day) == days);
  CHECK(counted(days, CalendarUnit::month) == months);
  CHECK(counted(days, CalendarUnit::year) == years);
}

void days_are_taken_to_the_ends_of_their_range() {
  using flowkit::CalendarUnit;
  constexpr std::int32_t furthest = 365000000;
  for (const std::int32_t sign : {-1, 1}) {
    const std::vector<std::int32_t> taken{sign * furthest};
    const std::vector<std::int32_t> beyond{sign * (furthest + 1)};
    const Given given("tdD", 1, {nullptr, beyond.data()});
    CHECK(counted(beyond, CalendarUnit::day) == beyond);
    for (const CalendarUnit unit : {CalendarUnit::month, CalendarUnit::year}) {
      CHECK(counted(taken, unit)[0] * sign > 999000);
      Array out;
      CHECK(!flowkit::calendar(given.chunks(), unit, 1, out).ok() && out.length() == 0);
    }
  }
}

template <typename T>
void numbers_are_cut_down_to_the_least_of_their_type(const char* format) {
  constexpr T least = std::numeric_limits<T>::min();
  const std::vector<T> values{least, static_cast<T>(least + 1), 0};
  const Given given(format, 3, {nullptr, values.data()});
  Array out;
  CHECK(flowkit::truncate(given.chunks(), 1, 1, out).ok() && numbers<T>(out) == values);
  CHECK(flowkit::truncate(given.chunks(), 2, 1, out).ok());
  CHECK(numbers<T>(out) == (std::vector<T>{least, least, 0}));
  Array refused;
  CHECK(!flowkit::truncate(given.chunks(), 3, 1, refused).ok());
}

void a_permutation_sorts_by_partition() {
  std::vector<std::int32_t> codes(600001);
  std::mt19937 random(3);
  for (auto& code : codes) {
    code = static_cast<std::int32_t>(random() % 100U);
  }
  const Given given("i", std::ssize(codes), {nullptr, codes.data()});
  for (const int threads : {1, 3}) {
    Array out;
    Array starts;
    CHECK(flowkit::partition_permutation(given.chunks(), 100, threads, out, starts).ok());
    const auto rows = numbers<std::int32_t>(out);
    CHECK(numbers<std::int64_t>(starts).back() == std::ssize(codes));
    for (std::size_t at = 1; at < rows.size(); ++at) {
      const auto before = codes[static_cast<std::size_t>(rows[at - 1])];
      const auto code = codes[static_cast<std::size_t>(rows[at])];
      CHECK(before < code || (before == code && rows[at - 1] < rows[at]));
    }
  }
}

}  // namespace

int main() {
  remainders_are_those_of_a_division();
  the_specification_s_number_has_its_hash();
  vectors_change_nothing<std::int32_t>();
  vectors_change_nothing<std::int64_t>();
  arguments_out_of_range_are_refused();
  every_day_of_an_era_has_its_month();
  days_are_taken_to_the_ends_of_their_range();
  numbers_are_cut_down_to_the_least_of_their_type<std::int8_t>("c");
  numbers_are_cut_down_to_the_least_of_their_type<std::int16_t>("s");
  numbers_are_cut_down_to_the_least_of_their_type<std::int32_t>("i");
  numbers_are_cut_down_to_the_least_of_their_type<std::int64_t>("l");
  a_permutation_sorts_by_partition();
}
