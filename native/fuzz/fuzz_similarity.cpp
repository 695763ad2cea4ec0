// The input is two columns of strings, cut at its zero bytes, of which every row is paired with
// every other.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "flowkit/arrow_c.h"
#include "flowkit/similarity.hpp"

namespace {

template <typename T>
void released(T* given) {
  given->release = nullptr;
}

/// A column over memory of its own.
struct Column {
  Column(const char* format, std::int64_t length, std::vector<const void*> given)
      : buffers(std::move(given)) {
    schema.format = format;
    schema.name = "";
    schema.release = &released<ArrowSchema>;
    array.length = length;
    array.n_buffers = static_cast<std::int64_t>(buffers.size());
    array.buffers = buffers.data();
    array.release = &released<ArrowArray>;
  }
  Column(const Column&) = delete;
  Column& operator=(const Column&) = delete;

  [[nodiscard]] flowkit::Chunks chunks() const { return {&schema, &pointer, 1}; }

  ArrowSchema schema{};
  ArrowArray array{};
  std::vector<const void*> buffers;
  const ArrowArray* pointer = &array;
};

void require(bool claim) {
  if (!claim) {
    std::abort();
  }
}

/// Checks that scores are at least 0 and at most `most`, and the same both ways.
template <typename T>
void check(const flowkit::Status& status, const flowkit::Array& out, std::size_t rows, T most,
           bool is_symmetric) {
  require(status.ok() || status.code() == flowkit::Status::Code::invalid_data);
  if (!status.ok()) {
    return;
  }
  ArrowArray exported{};
  require(out.export_array(&exported).ok());
  const auto* scores = static_cast<const T*>(exported.buffers[1]);
  for (std::size_t left = 0; left < rows; ++left) {
    for (std::size_t right = 0; right < rows; ++right) {
      const T score = scores[left * rows + right];
      require(score >= 0 && score <= most);
      require(!is_symmetric || score == scores[right * rows + left]);
    }
  }
  exported.release(&exported);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  constexpr std::size_t most_rows = 12;
  const std::vector<char> text(input, input + size);
  std::vector<std::int32_t> offsets{0};
  for (std::size_t at = 0; at < size && offsets.size() < most_rows; ++at) {
    if (text[at] == '\0') {
      offsets.push_back(static_cast<std::int32_t>(at));
    }
  }
  offsets.push_back(static_cast<std::int32_t>(size));
  const std::size_t rows = offsets.size() - 1;
  std::vector<std::int64_t> lefts;
  std::vector<std::int64_t> rights;
  for (std::size_t left = 0; left < rows; ++left) {
    for (std::size_t right = 0; right < rows; ++right) {
      lefts.push_back(static_cast<std::int64_t>(left));
      rights.push_back(static_cast<std::int64_t>(right));
    }
  }
  const Column words("u", static_cast<std::int64_t>(rows), {nullptr, offsets.data(), text.data()});
  const Column left("l", static_cast<std::int64_t>(lefts.size()), {nullptr, lefts.data()});
  const Column right("l", static_cast<std::int64_t>(rights.size()), {nullptr, rights.data()});
  const flowkit::Pairs pairs{words.chunks(), words.chunks(), left.chunks(), right.chunks()};
  using flowkit::Distance;
  flowkit::Array out;
  check<double>(flowkit::jaro(pairs, 1, out), out, rows, 1.0, false);
  check<double>(flowkit::jaro_winkler(pairs, 1, out), out, rows, 1.0, false);
  check<std::int32_t>(flowkit::levenshtein(pairs, Distance::edits, 1, out), out, rows,
                      static_cast<std::int32_t>(size), true);
  check<double>(flowkit::levenshtein(pairs, Distance::similarity, 1, out), out, rows, 1.0, true);
  check<std::int32_t>(flowkit::damerau_levenshtein(pairs, Distance::edits, 1, out), out, rows,
                      static_cast<std::int32_t>(size), true);
  check<double>(flowkit::token_set_jaccard(pairs, 1, out), out, rows, 1.0, true);
  check<double>(flowkit::ngram_cosine(pairs, 2, 1, out), out, rows, 1.0, true);
  return 0;
}
