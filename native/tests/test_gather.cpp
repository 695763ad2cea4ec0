// Rows are taken from arrays that are what they say, and from no others.

#include "flowkit/gather.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "check.hpp"
#include "view_buffers.hpp"

using flowkit::Array;
using flowkit::Status;

namespace {

constexpr std::array<std::int32_t, 3> offsets{0, 1, 3};
constexpr std::string_view text = "abb";
constexpr std::array<std::int64_t, 3> rows{1, 0, 1};

void strings_are_taken() {
  const Given values("u", 2, {nullptr, offsets.data(), text.data()});
  const Given indices("l", 3, {nullptr, rows.data()});
  Array out;
  CHECK(flowkit::gather(values.chunks(), indices.chunks(), 1, out).ok());
  flowkit::Owned<ArrowArray> exported;
  CHECK(out.export_array(exported.get()).ok() && exported->n_buffers == 3);
  const auto* starts = static_cast<const std::int32_t*>(exported->buffers[1]);
  CHECK(std::vector(starts, starts + 4) == (std::vector<std::int32_t>{0, 2, 3, 5}));
  CHECK(std::string_view(static_cast<const char*>(exported->buffers[2]), 5) == "bbabb");
}

void buffers_of_views_are_filled_one_after_the_other() {
  flowkit::ViewBuffers buffers(20);
  std::vector<std::int32_t> places;
  for (const std::string_view bytes :
       {"0123456789012", "0123456", "0123456789012", "01234567", "01234567890123456789"}) {
    const auto place = buffers.add(bytes);
    places.insert(places.end(), {place.buffer, place.offset});
  }
  CHECK(places == (std::vector<std::int32_t>{0, 0, 0, 13, 1, 0, 2, 0, 3, 0}));
  const auto filled = std::move(buffers).take();
  CHECK(filled.size() == 4 && filled[0].size() == 20 && filled[1].size() == 13);
  CHECK(std::string_view(filled[0].data() + 13, 7) == "0123456" && filled[3].size() == 20);
}

void wide_values_are_taken_whole() {
  const Given values("w:3", 1, {nullptr, text.data()});
  const Given indices("l", 1, {nullptr, rows.data() + 1});
  Array out;
  CHECK(flowkit::gather(values.chunks(), indices.chunks(), 1, out).ok());
  flowkit::Owned<ArrowArray> exported;
  CHECK(out.export_array(exported.get()).ok());
  CHECK(std::string_view(static_cast<const char*>(exported->buffers[1]), 3) == text);
}

void malformed_arrays_are_refused() {
  const auto refused = [](const Given& values, const Given& indices) {
    Array out;
    const Status status = flowkit::gather(values.chunks(), indices.chunks(), 1, out);
    return status.code() == Status::Code::invalid_data && out.length() == 0;
  };
  constexpr std::array<std::int32_t, 3> falling{0, 3, 1};
  const Given good("u", 2, {nullptr, offsets.data(), text.data()});
  const Given indices("l", 3, {nullptr, rows.data()});
  CHECK(refused(Given("u", 2, {nullptr, falling.data(), text.data()}), indices));
  CHECK(refused(Given("u", 2, {nullptr, offsets.data()}), indices));
  CHECK(refused(Given("+l", 2, {nullptr, offsets.data()}), indices));
  CHECK(refused(good, Given("l", 3, {nullptr})));
  CHECK(refused(good, Given("g", 3, {nullptr, rows.data()})));
  CHECK(refused(Given("u", 1, {nullptr, offsets.data(), text.data()}), indices));
  Array out;
  CHECK(!flowkit::gather(good.chunks(), indices.chunks(), 0, out).ok());
  CHECK(!flowkit::gather({}, indices.chunks(), 1, out).ok());
}

}  // namespace

int main() {
  strings_are_taken();
  buffers_of_views_are_filled_one_after_the_other();
  wide_values_are_taken_whole();
  malformed_arrays_are_refused();
}
