// The C interface says what the C++ one says, and takes null pointers for what they are.

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "arrays.hpp"
#include "check.hpp"
#include "flowkit/flowkit.h"
#include "flowkit/owned.hpp"

using flowkit::Owned;

namespace {

constexpr std::array<std::int64_t, 3> values{34, 0, 34};

/// A column over an array that a test may set wrong.
class Columns {
 public:
  explicit Columns(const Given& given) : array_(&given.array), column{&given.schema, &array_, 1} {}
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;

 private:
  const ArrowArray* array_;

 public:
  const flowkit_column column;
};

struct Result {
  Owned<ArrowSchema> schema;
  Owned<ArrowArray> array;
  flowkit_message message{};

  [[nodiscard]] bool is_untouched() const {
    return schema->release == nullptr && array->release == nullptr;
  }
  [[nodiscard]] std::string_view format() const { return schema->format; }

  template <typename T>
  [[nodiscard]] std::vector<T> numbers() const {
    const auto* first = static_cast<const T*>(array->buffers[1]);
    return {first, first + array->length};
  }
};

void columns_come_in_and_arrays_go_out() {
  const Given given("l", 3, {nullptr, values.data()});
  const Columns numbers(given);
  Result out;
  CHECK(flowkit_bucket(&numbers.column, 16, 1, out.schema.get(), out.array.get(), &out.message) ==
        FLOWKIT_OK);
  CHECK(out.format() == "i" && out.message.text[0] == '\0');
  CHECK(out.numbers<std::int32_t>()[0] == 2017239379 % 16);  // appendix B of Iceberg's format
  Result cut;
  CHECK(flowkit_truncate(&numbers.column, 10, 1, cut.schema.get(), cut.array.get(), nullptr) ==
        FLOWKIT_OK);
  CHECK(cut.numbers<std::int64_t>() == (std::vector<std::int64_t>{30, 0, 30}));
}

void a_failure_has_a_code_and_a_message() {
  const Given given("g", 3, {nullptr, values.data()});
  const Columns numbers(given);
  Result out;
  CHECK(flowkit_bucket(&numbers.column, 16, 1, out.schema.get(), out.array.get(), &out.message) ==
        FLOWKIT_INVALID_DATA);
  CHECK(std::string_view(out.message.text).find("`g`") != std::string_view::npos);
  CHECK(out.is_untouched());
  CHECK(flowkit_bucket(&numbers.column, 16, 1, nullptr, nullptr, nullptr) == FLOWKIT_INVALID_DATA);
}

void messages_are_text_even_of_bytes_that_are_not() {
  Result out;
  const std::string name = std::string(59, 'x') + "\u20ac\xff";  // quotes are cut within the sign
  const std::array<const char*, 1> names{name.c_str()};
  CHECK(flowkit_read_manifest("", 0, names.data(), 1, out.schema.get(), out.array.get(),
                              &out.message) == FLOWKIT_INVALID_DATA);
  CHECK(std::string_view(out.message.text) == "there is no column `" + std::string(59, 'x') + "`");
  const Given given("\xff", 3, {nullptr, values.data()});
  const Columns numbers(given);
  CHECK(flowkit_bucket(&numbers.column, 16, 1, out.schema.get(), out.array.get(), &out.message) ==
        FLOWKIT_INVALID_DATA);
  CHECK(std::string_view(out.message.text).find("`\ufffd`") != std::string_view::npos);
}

void null_pointers_are_refused() {
  Result out;
  Result more;
  const auto refused = [&](flowkit_code code) {
    const bool has_message = out.message.text[0] != '\0';
    out.message = {};
    return code == FLOWKIT_INVALID_DATA && has_message && out.is_untouched();
  };
  ArrowSchema* schema = out.schema.get();
  ArrowArray* array = out.array.get();
  flowkit_message* why = &out.message;
  CHECK(refused(flowkit_bucket(nullptr, 1, 1, schema, array, why)));
  CHECK(refused(flowkit_truncate(nullptr, 1, 1, schema, array, why)));
  CHECK(refused(flowkit_year(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_month(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_day(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_hour(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_gather(nullptr, nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_jaro(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_jaro_winkler(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_levenshtein(nullptr, 0, 1, schema, array, why)));
  CHECK(refused(flowkit_damerau_levenshtein(nullptr, 1, 1, schema, array, why)));
  CHECK(refused(flowkit_token_set_jaccard(nullptr, 1, schema, array, why)));
  CHECK(refused(flowkit_ngram_cosine(nullptr, 3, 1, schema, array, why)));
  CHECK(refused(flowkit_partition_permutation(nullptr, 1, 1, more.schema.get(), more.array.get(),
                                              schema, array, why)));
  CHECK(
      refused(flowkit_partition_permutation(nullptr, 1, 1, nullptr, nullptr, schema, array, why)));
  CHECK(refused(flowkit_read_manifest(nullptr, 9, nullptr, 0, schema, array, why)));
  CHECK(refused(flowkit_read_manifest_list("", 0, nullptr, 1, schema, array, why)));
  const std::array<const char*, 1> names{nullptr};
  CHECK(refused(flowkit_read_manifest("", 0, names.data(), 1, schema, array, why)));
  CHECK(refused(flowkit_chunk_boundaries(nullptr, 1, 64, 64, 64, schema, array, why)));
  CHECK(more.is_untouched());
  ArrowArrayStream stream{};
  CHECK(refused(flowkit_key_blocks(nullptr, nullptr, 1, &stream, why)));
  CHECK(refused(flowkit_sorted_neighbourhood(nullptr, nullptr, 2, 1, &stream, why)));
  CHECK(refused(flowkit_minhash_lsh(nullptr, nullptr, nullptr, 1, 1, &stream, why)));
  CHECK(stream.release == nullptr);
}

void rows_are_sorted_by_partition_and_taken() {
  constexpr std::array<std::int64_t, 3> codes{1, 0, 1};
  const Given given("l", 3, {nullptr, codes.data()});
  const Given numbers("l", 3, {nullptr, values.data()});
  const Columns code_column(given);
  const Columns value_column(numbers);
  Result rows;
  Result offsets;
  CHECK(flowkit_partition_permutation(&code_column.column, 2, 1, rows.schema.get(),
                                      rows.array.get(), offsets.schema.get(), offsets.array.get(),
                                      nullptr) == FLOWKIT_OK);
  CHECK(rows.numbers<std::int32_t>() == (std::vector<std::int32_t>{1, 0, 2}));
  CHECK(offsets.numbers<std::int64_t>() == (std::vector<std::int64_t>{0, 1, 3}));
  const ArrowArray* array = &*rows.array;
  const flowkit_column row_column{&*rows.schema, &array, 1};
  Result taken;
  CHECK(flowkit_gather(&value_column.column, &row_column, 1, taken.schema.get(), taken.array.get(),
                       nullptr) == FLOWKIT_OK);
  CHECK(taken.numbers<std::int64_t>() == (std::vector<std::int64_t>{0, 34, 34}));
}

void blocks_are_scored() {
  constexpr std::array<std::int32_t, 4> offsets{0, 6, 13, 19};
  constexpr std::string_view text = "kittensittingkitten";
  const Given given("u", 3, {nullptr, offsets.data(), text.data()});
  const Columns words(given);
  Owned<ArrowArrayStream> stream;
  CHECK(flowkit_sorted_neighbourhood(&words.column, nullptr, 3, 10, stream.get(), nullptr) ==
        FLOWKIT_OK);
  Owned<ArrowSchema> fields;
  Owned<ArrowArray> batch;
  CHECK(stream.get()->get_schema(stream.get(), fields.get()) == 0);
  CHECK(stream.get()->get_next(stream.get(), batch.get()) == 0 && batch->length == 3);
  const ArrowArray* left = batch->children[0];
  const ArrowArray* right = batch->children[1];
  const flowkit_pairs pairs{words.column,
                            words.column,
                            {fields->children[0], &left, 1},
                            {fields->children[1], &right, 1}};
  Result edits;
  CHECK(flowkit_levenshtein(&pairs, 0, 1, edits.schema.get(), edits.array.get(), nullptr) ==
        FLOWKIT_OK);
  CHECK(edits.numbers<std::int32_t>() == (std::vector<std::int32_t>{0, 3, 3}));
  Result refused;
  CHECK(flowkit_levenshtein(&pairs, 2, 1, refused.schema.get(), refused.array.get(), nullptr) ==
        FLOWKIT_INVALID_DATA);
  // The same word has the same signature, whatever the seed.
  const flowkit_minhash minhash{3, 4, 4, std::numeric_limits<std::uint64_t>::max()};
  Owned<ArrowArrayStream> alike;
  CHECK(flowkit_minhash_lsh(&words.column, &words.column, &minhash, 10, 1, alike.get(), nullptr) ==
        FLOWKIT_OK);
  Owned<ArrowArray> met;
  CHECK(alike.get()->get_next(alike.get(), met.get()) == 0 && met->length == 5);
}

}  // namespace

int main() {
  columns_come_in_and_arrays_go_out();
  a_failure_has_a_code_and_a_message();
  messages_are_text_even_of_bytes_that_are_not();
  null_pointers_are_refused();
  rows_are_sorted_by_partition_and_taken();
  blocks_are_scored();
}
