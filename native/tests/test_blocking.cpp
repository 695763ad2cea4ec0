// Pairs come batch by batch, as often as they are asked for, and signatures do not depend on the
// instructions.

#include "flowkit/blocking.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "check.hpp"
#include "signatures.hpp"
#include "simd.hpp"

using flowkit::Array;
using flowkit::Owned;
using flowkit::PairBatches;
using flowkit::PairReader;
using flowkit::Simd;
using flowkit::Status;

namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

constexpr std::array<std::int64_t, 5> keys{7, 3, 7, 3, 7};
const std::vector<Pair> equal_keys{{0, 2}, {0, 4}, {1, 3}, {2, 4}};

std::vector<Pair> read(const PairBatches& batches, std::size_t most) {
  std::unique_ptr<PairReader> reader;
  CHECK(batches.read(reader).ok());
  std::vector<Pair> pairs;
  while (true) {
    Array left;
    Array right;
    CHECK(reader->next(left, right).ok());
    const auto lefts = numbers<std::int32_t>(left);
    const auto rights = numbers<std::int32_t>(right);
    CHECK(lefts.size() == rights.size() && lefts.size() <= most);
    if (lefts.empty()) {
      return pairs;
    }
    for (std::size_t at = 0; at < lefts.size(); ++at) {
      pairs.emplace_back(lefts[at], rights[at]);
    }
  }
}

void pairs_are_read_any_number_of_times() {
  for (const std::int64_t size : {1, 2, 3, 4, 5, 100}) {
    PairBatches batches;
    {
      const Given column("l", 5, {nullptr, keys.data()});
      CHECK(flowkit::key_blocks(column.chunks(), nullptr, size, batches).ok());
    }
    CHECK(read(batches, static_cast<std::size_t>(size)) == equal_keys);
    CHECK(read(batches, static_cast<std::size_t>(size)) == equal_keys);
  }
  CHECK(read(PairBatches(), 1).empty());
}

void a_stream_outlives_its_batches() {
  Owned<ArrowArrayStream> stream;
  {
    const Given column("l", 5, {nullptr, keys.data()});
    PairBatches batches;
    CHECK(flowkit::key_blocks(column.chunks(), nullptr, 3, batches).ok());
    CHECK(batches.export_stream(stream.get()).ok());
  }
  Owned<ArrowSchema> schema;
  CHECK(stream.get()->get_schema(stream.get(), schema.get()) == 0);
  CHECK(std::string_view(schema->format) == "+s" && schema->n_children == 2);
  CHECK(std::string_view(schema->children[0]->name) == "left_index");
  CHECK(std::string_view(schema->children[1]->format) == "i");
  std::vector<std::int64_t> lengths;
  for (int batch = 0; batch < 4; ++batch) {
    Owned<ArrowArray> array;
    CHECK(stream.get()->get_next(stream.get(), array.get()) == 0);
    if (array->release != nullptr) {
      CHECK(array->children[1]->length == array->length);
      lengths.push_back(array->length);
    }
  }
  CHECK(lengths == (std::vector<std::int64_t>{3, 1}));
  CHECK(stream.get()->get_last_error(stream.get()) == nullptr);
}

void malformed_columns_are_refused() {
  PairBatches batches;
  const auto refused = [](const Status& status) {
    return status.code() == Status::Code::invalid_data && !status.message().empty();
  };
  Given column("l", 5, {nullptr, keys.data()});
  const flowkit::Chunks chunks = column.chunks();
  CHECK(refused(flowkit::key_blocks({}, nullptr, 1, batches)));
  const flowkit::Chunks nothing;
  CHECK(refused(flowkit::key_blocks(chunks, &nothing, 1, batches)));
  CHECK(refused(flowkit::key_blocks(chunks, nullptr, 0, batches)));
  CHECK(refused(flowkit::sorted_neighbourhood(chunks, nullptr, 1, 1, batches)));
  CHECK(refused(flowkit::minhash_lsh(chunks, nullptr, {}, 1, 1, batches)));
  column.array.length = std::numeric_limits<std::int32_t>::max();
  column.array.offset = -1;
  CHECK(refused(flowkit::key_blocks(chunks, nullptr, 1, batches)));
  CHECK(refused(flowkit::sorted_neighbourhood(chunks, nullptr, 2, 1, batches)));
}

void a_window_may_be_larger_than_any_column() {
  const Given column("l", 3, {nullptr, keys.data()});
  PairBatches batches;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(flowkit::sorted_neighbourhood(column.chunks(), nullptr, most, 2, batches).ok());
  CHECK(read(batches, 2) == (std::vector<Pair>{{0, 1}, {1, 2}, {0, 2}}));
}

void minima_are_alike_with_any_instructions() {
  std::mt19937 random(3);
  std::vector<std::uint32_t> seeds(48);
  std::ranges::generate(seeds, random);
  for (std::size_t count = 0; count < 40; ++count) {
    std::vector<std::uint32_t> hashes(count);
    std::ranges::generate(hashes, random);
    std::vector<std::uint32_t> expected(seeds.size());
    flowkit::take_minima(hashes, seeds, expected.data(), Simd::none);
    for (const Simd simd : {Simd::avx2, Simd::avx512}) {
      if (simd <= flowkit::best_simd()) {
        std::vector<std::uint32_t> minima(seeds.size());
        flowkit::take_minima(hashes, seeds, minima.data(), simd);
        CHECK(minima == expected);
      }
    }
  }
}

}  // namespace

int main() {
  pairs_are_read_any_number_of_times();
  a_stream_outlives_its_batches();
  malformed_columns_are_refused();
  a_window_may_be_larger_than_any_column();
  minima_are_alike_with_any_instructions();
}
