#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <span>
#include <vector>

#include "check.hpp"
#include "flowkit/chunking.hpp"

using flowkit::chunk_boundaries;
using flowkit::ChunkSizes;
using flowkit::Status;

namespace {

using Bytes = std::vector<std::byte>;
using Cuts = std::vector<std::int64_t>;

constexpr ChunkSizes small{256, 1024, 4096};

Bytes noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

Cuts cut(std::span<const std::byte> data, const ChunkSizes& sizes) {
  Cuts cuts;
  CHECK(chunk_boundaries(data, sizes, cuts).ok());
  return cuts;
}

void chunks_cover_the_data_and_keep_their_bounds() {
  for (const std::size_t size : {1U, 255U, 256U, 257U, 1023U, 1025U, 4097U, 1000000U}) {
    const Cuts cuts = cut(noise(size, size), small);
    CHECK(cuts.back() == static_cast<std::int64_t>(size));
    std::int64_t start = 0;
    for (const std::int64_t end : cuts) {
      CHECK(end - start <= small.max);
      CHECK(end - start >= small.min || end == cuts.back());
      start = end;
    }
  }
}

void empty_data_has_no_chunk() { CHECK(cut({}, small).empty()); }

void the_average_size_is_near_what_was_asked_for() {
  const Cuts cuts = cut(noise(std::size_t{1} << 22U, 1), small);
  const auto mean = (std::int64_t{1} << 22) / std::ssize(cuts);
  CHECK(mean > small.average * 3 / 4 && mean < small.average * 3 / 2);
}

/// Where chunks end by the rules of the header, read byte by byte.
Cuts plainly_cut(const Bytes& data, const ChunkSizes& sizes) {
  std::vector<std::uint64_t> gear(256);
  std::uint64_t state = 0;
  for (auto& entry : gear) {
    state += 0x9e3779b97f4a7c15U;
    const std::uint64_t once = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
    const std::uint64_t twice = (once ^ (once >> 27U)) * 0x94d049bb133111ebU;
    entry = twice ^ (twice >> 31U);
  }
  const std::uint64_t unit = ~std::uint64_t{0} / static_cast<std::uint64_t>(sizes.average);
  Cuts cuts;
  std::int64_t length = 0;
  std::uint64_t hash = 0;
  for (std::size_t at = 0; at < data.size(); ++at) {
    const std::uint64_t threshold = length < sizes.average ? unit / 4 : unit * 4;
    if (length == sizes.max || (length >= sizes.min && hash < threshold)) {
      cuts.push_back(static_cast<std::int64_t>(at));
      length = 0;
    }
    hash = (hash << 1U) + gear[std::to_integer<std::size_t>(data[at])];
    ++length;
  }
  cuts.push_back(std::ssize(data));
  return cuts;
}

// Chunks that are long against what lanes try in one go, so that each of them finds some.
void lanes_cut_where_one_byte_after_the_other_would() {
  const Bytes data = noise(std::size_t{1} << 22U, 4);
  for (const ChunkSizes& sizes : {ChunkSizes{64, 16384, 65536}, ChunkSizes{300, 9000, 100000}}) {
    CHECK(cut(data, sizes) == plainly_cut(data, sizes));
  }
}

void an_insertion_moves_only_the_cuts_near_it() {
  const Bytes before = noise(1000000, 2);
  Bytes after = before;
  after.insert(after.begin() + 5000, std::byte{42});
  const Cuts old_cuts = cut(before, small);
  Cuts new_cuts = cut(after, small);
  std::ranges::transform(new_cuts, new_cuts.begin(), [](auto at) { return at - 1; });
  Cuts shared;
  std::ranges::set_intersection(old_cuts, new_cuts, std::back_inserter(shared));
  CHECK(std::ssize(shared) > std::ssize(old_cuts) * 9 / 10);
}

// What stores hold refers to these cuts, so they must never change.
void the_cuts_are_those_that_they_have_always_been() {
  Bytes data(5000);
  for (std::size_t at = 0; at < data.size(); ++at) {
    data[at] = static_cast<std::byte>((at * at) >> 3U);
  }
  const Cuts expected{272,  415,  726,  911,  1198, 1439, 1750, 1935, 2222, 2463,
                      2774, 2959, 3246, 3487, 3798, 3983, 4270, 4511, 4822, 5000};
  CHECK(cut(data, {64, 256, 1024}) == expected);
}

void sizes_out_of_order_are_refused() {
  const Bytes data = noise(1000, 3);
  for (const ChunkSizes& sizes :
       {ChunkSizes{63, 128, 256}, ChunkSizes{128, 64, 256}, ChunkSizes{64, 256, 128},
        ChunkSizes{-1, -1, -1}, ChunkSizes{64, 128, ChunkSizes::largest + 1}}) {
    Cuts cuts{7};
    CHECK(chunk_boundaries(data, sizes, cuts).code() == Status::Code::invalid_data);
    CHECK(cuts == Cuts{7});
  }
  CHECK(!cut(data, {64, 64, 64}).empty());
  CHECK(cut(data, {64, 128, ChunkSizes::largest}).back() == 1000);
}

}  // namespace

int main() {
  chunks_cover_the_data_and_keep_their_bounds();
  empty_data_has_no_chunk();
  the_average_size_is_near_what_was_asked_for();
  lanes_cut_where_one_byte_after_the_other_would();
  an_insertion_moves_only_the_cuts_near_it();
  the_cuts_are_those_that_they_have_always_been();
  sizes_out_of_order_are_refused();
}
