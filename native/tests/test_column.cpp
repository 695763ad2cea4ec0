// What is malformed in the C data interface is refused before a value is read.

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "arrays.hpp"
#include "check.hpp"
#include "flowkit/transforms.hpp"

using flowkit::Array;
using flowkit::bucket;
using flowkit::Status;

namespace {

constexpr std::array<std::int32_t, 4> some_numbers{1, 2, 3, 4};
constexpr std::array<std::int32_t, 4> some_offsets{0, 1, 2, 4};
constexpr std::string_view some_text = "abcd";
constexpr std::uint8_t some_bits = 0b101;

bool refused(const Given& given) {
  Array out;
  const Status status = bucket(given.chunks(), 8, 1, out);
  CHECK(status.ok() || (status.code() == Status::Code::invalid_data && out.length() == 0));
  return !status.ok();
}

bool refused_integers(const std::function<void(Given&)>& change) {
  Given given("i", 3, {&some_bits, some_numbers.data()});
  given.array.null_count = 1;
  change(given);
  return refused(given);
}

bool refused_text(const std::function<void(Given&)>& change,
                  const std::array<std::int32_t, 4>& offsets = some_offsets) {
  Given given("u", 3, {nullptr, offsets.data(), some_text.data()});
  change(given);
  return refused(given);
}

void well_formed_arrays_are_taken() {
  CHECK(!refused_integers([](Given&) {}));
  CHECK(!refused_integers([](Given& it) { it.array.null_count = -1; }));
  CHECK(!refused_text([](Given&) {}));
  CHECK(!refused_text([](Given& it) { it.array.buffers[2] = nullptr; }, {0, 0, 0, 0}));
  CHECK(!refused_text([](Given& it) { it.array.length = 0; }, {-1, -2, -3, -4}));
}

void a_wrong_schema_is_refused() {
  CHECK(refused_integers([](Given& it) { it.schema.release = nullptr; }));
  CHECK(refused_integers([](Given& it) { it.schema.format = nullptr; }));
  for (const char* format : {"", "x", "+l", "+s", "d:", "d:39,2", "d:9", "d:9,2,256", "w:0", "w:-1",
                             "w:x", "w:99999999999999999999", "tsq:", "ii", "tss", "n"}) {
    CHECK(refused_integers([&](Given& it) { it.schema.format = format; }));
  }
  CHECK(refused_integers([](Given& it) { it.schema.n_children = 1; }));
  CHECK(refused_integers([](Given& it) { it.schema.dictionary = &it.schema; }));
}

void wrong_counts_are_refused() {
  constexpr auto largest = std::numeric_limits<std::int64_t>::max();
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  CHECK(refused_integers([](Given& it) { it.array.release = nullptr; }));
  for (const std::int64_t wrong : {std::int64_t{-1}, least, largest}) {
    CHECK(refused_integers([&](Given& it) { it.array.length = wrong; }));
    CHECK(refused_integers([&](Given& it) { it.array.offset = wrong; }));
  }
  for (const std::int64_t wrong : {std::int64_t{-2}, std::int64_t{0} + 2, largest}) {
    CHECK(refused_integers([&](Given& it) { it.array.null_count = wrong; }));
  }
  for (const std::int64_t wrong : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, largest}) {
    CHECK(refused_integers([&](Given& it) { it.array.n_buffers = wrong; }));
    CHECK(refused_text([&](Given& it) { it.array.n_buffers = wrong; }));
  }
  CHECK(refused_integers([](Given& it) { it.array.n_children = 1; }));
  CHECK(refused_integers([](Given& it) { it.array.dictionary = &it.array; }));
}

void bits_behind_the_array_are_not_counted() {
  std::array<std::int32_t, 200> values{};
  for (const std::int64_t offset : {0, 1, 7, 8}) {
    for (std::int64_t length = 1; length <= 130; ++length) {
      // All are null and those around them are not, then the other way round.
      for (const bool valid : {false, true}) {
        std::array<std::uint8_t, 40> bits{};
        for (std::int64_t at = 0; at < 320; ++at) {
          const bool is_within = at >= offset && at < offset + length;
          const auto bit = static_cast<unsigned>(is_within == valid);
          bits[static_cast<std::size_t>(at / 8)] |= static_cast<std::uint8_t>(bit << (at % 8));
        }
        Given given("i", length, {bits.data(), values.data()});
        given.array.offset = offset;
        given.array.null_count = valid ? 0 : length;
        CHECK(!refused(given));
        given.array.null_count = valid ? 1 : length - 1;
        CHECK(refused(given) == (given.array.null_count != 0));
      }
    }
  }
}

void lengths_and_offsets_that_have_no_address_are_refused() {
  const auto refused_wide = [](const char* format, std::int64_t length, std::int64_t offset) {
    Given given(format, length, {nullptr, some_numbers.data()});
    given.array.offset = offset;
    return refused(given);
  };
  CHECK(!refused_wide("w:4", 3, 0));
  CHECK(refused_wide("w:65536", 1, std::int64_t{1} << 48));  // 2^64 bytes, which wrap to none
  CHECK(refused_wide("w:65536", 1, std::int64_t{1} << 36));
  CHECK(refused_wide("w:1073741824", (std::int64_t{1} << 22) + 1, 0));
  CHECK(refused_wide("w:1073741824", 1, std::int64_t{1} << 22));
}

void missing_buffers_are_refused() {
  CHECK(refused_integers([](Given& it) { it.array.buffers = nullptr; }));
  CHECK(refused_integers([](Given& it) { it.array.buffers[0] = nullptr; }));
  CHECK(refused_integers([](Given& it) { it.array.buffers[1] = nullptr; }));
  CHECK(refused_text([](Given& it) { it.array.buffers[1] = nullptr; }));
  CHECK(refused_text([](Given& it) { it.array.buffers[2] = nullptr; }));
}

void offsets_that_are_negative_or_fall_are_refused() {
  CHECK(refused_text([](Given&) {}, {-1, 0, 1, 2}));
  CHECK(refused_text([](Given&) {}, {0, 3, 2, 4}));
  CHECK(refused_text([](Given&) {}, {0, 1, 2, -1}));
}

struct View {
  std::int32_t size;
  std::array<char, 4> prefix;
  std::int32_t buffer;
  std::int32_t offset;
};

bool refused_view(const View& view, std::int64_t buffer_size = 20) {
  constexpr std::string_view data = "01234567890123456789";
  const Given given("vu", 1, {nullptr, &view, data.data(), &buffer_size});
  return refused(given);
}

void views_that_point_out_of_their_buffers_are_refused() {
  CHECK(!refused_view({3, {'a', 'b', 'c', 0}, 0, 0}));
  CHECK(!refused_view({15, {}, 0, 0}));
  CHECK(!refused_view({15, {}, 0, 5}));
  CHECK(refused_view({15, {}, 0, 6}));
  CHECK(refused_view({15, {}, 0, -1}));
  CHECK(refused_view({15, {}, 1, 0}));
  CHECK(refused_view({15, {}, -1, 0}));
  CHECK(refused_view({-1, {}, 0, 0}));
  CHECK(refused_view({std::numeric_limits<std::int32_t>::max(), {}, 0, 5}));
  CHECK(refused_view({15, {}, 0, 0}, -1));
  CHECK(refused_view({15, {}, 0, 5}, std::numeric_limits<std::int64_t>::min()));
}

void nothing_at_all_is_refused() {
  Array out;
  CHECK(!bucket({}, 8, 1, out).ok());
  const Given given("i", 3, {nullptr, some_numbers.data()});
  const ArrowArray* missing = nullptr;
  CHECK(!bucket({&given.schema, &missing, 1}, 8, 1, out).ok());
  CHECK(!bucket({&given.schema, nullptr, 1}, 8, 1, out).ok());
  CHECK(!bucket({&given.schema, nullptr, -1}, 8, 1, out).ok());
  CHECK(bucket({&given.schema, nullptr, 0}, 8, 1, out).ok() && out.length() == 0);
}

}  // namespace

int main() {
  well_formed_arrays_are_taken();
  a_wrong_schema_is_refused();
  wrong_counts_are_refused();
  bits_behind_the_array_are_not_counted();
  lengths_and_offsets_that_have_no_address_are_refused();
  missing_buffers_are_refused();
  offsets_that_are_negative_or_fall_are_refused();
  views_that_point_out_of_their_buffers_are_refused();
  nothing_at_all_is_refused();
}
