// Finds names that are nearly alike: pairs that share n-grams, then how alike they are.

#include <flowkit/flowkit.h>
#include <flowkit/owned.hpp>

#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

int main() {
  const std::vector<std::string_view> names{"Ada Lovelace", "Grace Hopper", "Ada Lovelase"};
  std::vector<std::int32_t> offsets{0};
  std::vector<char> text;
  for (const std::string_view name : names) {
    text.insert(text.end(), name.begin(), name.end());
    offsets.push_back(static_cast<std::int32_t>(text.size()));
  }
  const void* buffers[] = {nullptr, offsets.data(), text.data()};
  ArrowSchema schema{.format = "u", .release = [](ArrowSchema* done) { done->release = nullptr; }};
  ArrowArray array{.length = std::ssize(names),
                   .n_buffers = 3,
                   .buffers = buffers,
                   .release = [](ArrowArray* done) { done->release = nullptr; }};
  const ArrowArray* arrays[] = {&array};
  const flowkit_column column{&schema, arrays, 1};

  flowkit_message why{};
  flowkit::Owned<ArrowArrayStream> pairs;
  const flowkit_minhash minhash{.ngram = 2, .bands = 20, .rows = 2, .seed = 0};
  if (flowkit_minhash_lsh(&column, nullptr, &minhash, 1024, 1, pairs.get(), &why) != FLOWKIT_OK) {
    std::fprintf(stderr, "%s\n", why.text);
    return 1;
  }
  flowkit::Owned<ArrowSchema> fields;
  flowkit::Owned<ArrowArray> batch;
  pairs.get()->get_schema(pairs.get(), fields.get());
  pairs.get()->get_next(pairs.get(), batch.get());
  const ArrowArray* left[] = {batch->children[0]};
  const ArrowArray* right[] = {batch->children[1]};
  const flowkit_pairs rows{
      column, column, {fields->children[0], left, 1}, {fields->children[1], right, 1}};
  flowkit::Owned<ArrowSchema> type;
  flowkit::Owned<ArrowArray> scores;
  if (flowkit_jaro_winkler(&rows, 1, type.get(), scores.get(), &why) != FLOWKIT_OK) {
    std::fprintf(stderr, "%s\n", why.text);
    return 1;
  }
  for (std::int64_t pair = 0; pair < scores->length; ++pair) {
    const auto row = [&](const ArrowArray* side) {
      return names[static_cast<std::size_t>(
          static_cast<const std::int32_t*>(side->buffers[1])[pair])];
    };
    std::printf("%s ~ %s: %.2f\n", row(left[0]).data(), row(right[0]).data(),
                static_cast<const double*>(scores->buffers[1])[pair]);
  }
}
