// The first six bytes are the sizes, the rest is the data to cut.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "flowkit/chunking.hpp"

namespace {

void require(bool claim) {
  if (!claim) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 6) {
    return 0;
  }
  const auto number = [&](std::size_t at) -> std::int64_t {
    return input[at] * 256 + input[at + 1];
  };
  const flowkit::ChunkSizes sizes{number(0), number(2), number(4)};
  const auto data = std::as_bytes(std::span(input, size)).subspan(6);

  std::vector<std::int64_t> cuts;
  const auto status = flowkit::chunk_boundaries(data, sizes, cuts);
  if (!status.ok()) {
    require(status.code() == flowkit::Status::Code::invalid_data && cuts.empty());
    return 0;
  }
  std::int64_t start = 0;
  for (const std::int64_t end : cuts) {
    require(end > start && end - start <= sizes.max);
    require(end - start >= sizes.min || end == cuts.back());
    start = end;
  }
  require(start == static_cast<std::int64_t>(data.size()));
  return 0;
}
