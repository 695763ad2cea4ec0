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
  a_permutation_sorts_by_partition();
}
