// The C face: arguments in, results out, no logic of its own.

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "array_node.hpp"
#include "flowkit/blocking.hpp"
#include "flowkit/chunking.hpp"
#include "flowkit/flowkit.h"
#include "flowkit/gather.hpp"
#include "flowkit/manifest.hpp"
#include "flowkit/owned.hpp"
#include "flowkit/partition.hpp"
#include "flowkit/similarity.hpp"
#include "flowkit/transforms.hpp"
#include "guarded.hpp"

using flowkit::Array;
using flowkit::Owned;
using flowkit::require;
using flowkit::Status;

namespace {

flowkit_code report(const Status& status, flowkit_message* message) noexcept {
  if (message != nullptr) {
    const std::string_view text = status.message();
    static_assert(Status::capacity < sizeof(message->text));
    std::ranges::copy(text, message->text);
    message->text[text.size()] = '\0';
  }
  switch (status.code()) {
    case Status::Code::ok:
      return FLOWKIT_OK;
    case Status::Code::invalid_data:
      return FLOWKIT_INVALID_DATA;
    case Status::Code::out_of_memory:
      return FLOWKIT_OUT_OF_MEMORY;
    case Status::Code::bug:
      break;
  }
  return FLOWKIT_BUG;
}

/// Where a result goes.
struct Place {
  ArrowSchema* schema;
  ArrowArray* array;
};

/// Both parts of an array, or neither.
class Export {
 public:
  Status fill(const Array& array) noexcept {
    Status status = array.export_schema(schema_.get());
    return status.ok() ? array.export_array(array_.get()) : status;
  }
  void move_to(const Place& out) noexcept {
    schema_.move_to(out.schema);
    array_.move_to(out.array);
  }

 private:
  Owned<ArrowSchema> schema_;
  Owned<ArrowArray> array_;
};

/// Runs `work(result)`, and hands its result over.
template <typename Work>
flowkit_code call(const Place& out, flowkit_message* message, const Work& work) noexcept {
  const Status status = flowkit::guarded([&]() -> Status {
    require(out.schema != nullptr && out.array != nullptr, "there is no place for the result");
    Array result;
    Status done = work(result);
    Export exported;
    if (done.ok()) {
      done = exported.fill(result);
    }
    if (done.ok()) {
      exported.move_to(out);
    }
    return done;
  });
  return report(status, message);
}

flowkit::Chunks chunks_of(const flowkit_column& column) noexcept {
  return {column.schema, column.arrays, column.count};
}

template <typename T>
const T& required(const T* argument) {
  require(argument != nullptr, "an argument is a null pointer");
  return *argument;
}

flowkit::Pairs pairs_of(const flowkit_pairs* pairs) {
  const flowkit_pairs& given = required(pairs);
  return {chunks_of(given.left), chunks_of(given.right), chunks_of(given.left_index),
          chunks_of(given.right_index)};
}

flowkit::Distance distance_of(int normalised) {
  require(normalised == 0 || normalised == 1, "normalised must be 0 or 1");
  return normalised == 1 ? flowkit::Distance::similarity : flowkit::Distance::edits;
}

std::span<const std::byte> bytes_of(const void* data, std::size_t size) {
  require(data != nullptr || size == 0, "an argument is a null pointer");
  return {static_cast<const std::byte*>(data), size};
}

template <typename Read>
flowkit_code read_file(const void* file, std::size_t size, const char* const* columns,
                       std::int64_t count, const Place& out, flowkit_message* message,
                       const Read& read) noexcept {
  return call(out, message, [&](Array& result) {
    require(count >= 0 && (count == 0 || columns != nullptr), "there are no columns");
    std::vector<std::string_view> names;
    for (std::int64_t at = 0; at < count; ++at) {
      names.emplace_back(&required(columns[at]));
    }
    return read(bytes_of(file, size), names, result);
  });
}

/// Runs `work(right or null, batches)`, and hands the stream of the batches over.
template <typename Work>
flowkit_code stream(const flowkit_column* right, ArrowArrayStream* out, flowkit_message* message,
                    const Work& work) noexcept {
  const Status status = flowkit::guarded([&]() -> Status {
    require(out != nullptr, "there is no place for the result");
    const flowkit::Chunks right_chunks = right == nullptr ? flowkit::Chunks{} : chunks_of(*right);
    flowkit::PairBatches batches;
    Status done = work(right == nullptr ? nullptr : &right_chunks, batches);
    return done.ok() ? batches.export_stream(out) : done;
  });
  return report(status, message);
}

}  // namespace

const char* flowkit_version(void) { return FLOWKIT_VERSION; }

flowkit_code flowkit_bucket(const flowkit_column* values, int32_t count, int threads,
                            ArrowSchema* out_schema, ArrowArray* out_array,
                            flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::bucket(chunks_of(required(values)), count, threads, out);
  });
}

flowkit_code flowkit_truncate(const flowkit_column* values, int32_t width, int threads,
                              ArrowSchema* out_schema, ArrowArray* out_array,
                              flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::truncate(chunks_of(required(values)), width, threads, out);
  });
}

namespace {

flowkit_code calendar(const flowkit_column* values, flowkit::CalendarUnit unit, int threads,
                      const Place& out, flowkit_message* message) noexcept {
  return call(out, message, [&](Array& result) {
    return flowkit::calendar(chunks_of(required(values)), unit, threads, result);
  });
}

}  // namespace

flowkit_code flowkit_year(const flowkit_column* values, int threads, ArrowSchema* out_schema,
                          ArrowArray* out_array, flowkit_message* message) {
  return calendar(values, flowkit::CalendarUnit::year, threads, {out_schema, out_array}, message);
}

flowkit_code flowkit_month(const flowkit_column* values, int threads, ArrowSchema* out_schema,
                           ArrowArray* out_array, flowkit_message* message) {
  return calendar(values, flowkit::CalendarUnit::month, threads, {out_schema, out_array}, message);
}

flowkit_code flowkit_day(const flowkit_column* values, int threads, ArrowSchema* out_schema,
                         ArrowArray* out_array, flowkit_message* message) {
  return calendar(values, flowkit::CalendarUnit::day, threads, {out_schema, out_array}, message);
}

flowkit_code flowkit_hour(const flowkit_column* values, int threads, ArrowSchema* out_schema,
                          ArrowArray* out_array, flowkit_message* message) {
  return calendar(values, flowkit::CalendarUnit::hour, threads, {out_schema, out_array}, message);
}

flowkit_code flowkit_partition_permutation(const flowkit_column* codes, int64_t count, int threads,
                                           ArrowSchema* permutation_schema, ArrowArray* permutation,
                                           ArrowSchema* offsets_schema, ArrowArray* offsets,
                                           flowkit_message* message) {
  Export exported;
  const flowkit_code code = call({offsets_schema, offsets}, message, [&](Array& starts) {
    require(permutation_schema != nullptr && permutation != nullptr,
            "there is no place for the result");
    Array rows;
    Status done =
        flowkit::partition_permutation(chunks_of(required(codes)), count, threads, rows, starts);
    return done.ok() ? exported.fill(rows) : done;
  });
  if (code == FLOWKIT_OK) {
    exported.move_to({permutation_schema, permutation});
  }
  return code;
}

flowkit_code flowkit_gather(const flowkit_column* values, const flowkit_column* indices,
                            int threads, ArrowSchema* out_schema, ArrowArray* out_array,
                            flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::gather(chunks_of(required(values)), chunks_of(required(indices)), threads, out);
  });
}

flowkit_code flowkit_jaro(const flowkit_pairs* pairs, int threads, ArrowSchema* out_schema,
                          ArrowArray* out_array, flowkit_message* message) {
  return call({out_schema, out_array}, message,
              [&](Array& out) { return flowkit::jaro(pairs_of(pairs), threads, out); });
}

flowkit_code flowkit_jaro_winkler(const flowkit_pairs* pairs, int threads, ArrowSchema* out_schema,
                                  ArrowArray* out_array, flowkit_message* message) {
  return call({out_schema, out_array}, message,
              [&](Array& out) { return flowkit::jaro_winkler(pairs_of(pairs), threads, out); });
}

flowkit_code flowkit_levenshtein(const flowkit_pairs* pairs, int normalised, int threads,
                                 ArrowSchema* out_schema, ArrowArray* out_array,
                                 flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::levenshtein(pairs_of(pairs), distance_of(normalised), threads, out);
  });
}

flowkit_code flowkit_damerau_levenshtein(const flowkit_pairs* pairs, int normalised, int threads,
                                         ArrowSchema* out_schema, ArrowArray* out_array,
                                         flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::damerau_levenshtein(pairs_of(pairs), distance_of(normalised), threads, out);
  });
}

flowkit_code flowkit_token_set_jaccard(const flowkit_pairs* pairs, int threads,
                                       ArrowSchema* out_schema, ArrowArray* out_array,
                                       flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    return flowkit::token_set_jaccard(pairs_of(pairs), threads, out);
  });
}

flowkit_code flowkit_ngram_cosine(const flowkit_pairs* pairs, int32_t n, int threads,
                                  ArrowSchema* out_schema, ArrowArray* out_array,
                                  flowkit_message* message) {
  return call({out_schema, out_array}, message,
              [&](Array& out) { return flowkit::ngram_cosine(pairs_of(pairs), n, threads, out); });
}

flowkit_code flowkit_key_blocks(const flowkit_column* left, const flowkit_column* right,
                                int64_t batch_rows, ArrowArrayStream* out,
                                flowkit_message* message) {
  return stream(
      right, out, message, [&](const flowkit::Chunks* others, flowkit::PairBatches& batches) {
        return flowkit::key_blocks(chunks_of(required(left)), others, batch_rows, batches);
      });
}

flowkit_code flowkit_sorted_neighbourhood(const flowkit_column* left, const flowkit_column* right,
                                          int64_t window, int64_t batch_rows, ArrowArrayStream* out,
                                          flowkit_message* message) {
  return stream(right, out, message,
                [&](const flowkit::Chunks* others, flowkit::PairBatches& batches) {
                  return flowkit::sorted_neighbourhood(chunks_of(required(left)), others, window,
                                                       batch_rows, batches);
                });
}

flowkit_code flowkit_minhash_lsh(const flowkit_column* left, const flowkit_column* right,
                                 const flowkit_minhash* minhash, int64_t batch_rows, int threads,
                                 ArrowArrayStream* out, flowkit_message* message) {
  return stream(right, out, message,
                [&](const flowkit::Chunks* others, flowkit::PairBatches& batches) {
                  const flowkit_minhash& given = required(minhash);
                  return flowkit::minhash_lsh(chunks_of(required(left)), others,
                                              {given.ngram, given.bands, given.rows, given.seed},
                                              batch_rows, threads, batches);
                });
}

flowkit_code flowkit_read_manifest(const void* file, size_t size_bytes, const char* const* columns,
                                   int64_t column_count, ArrowSchema* out_schema,
                                   ArrowArray* out_array, flowkit_message* message) {
  return read_file(file, size_bytes, columns, column_count, {out_schema, out_array}, message,
                   flowkit::read_manifest);
}

flowkit_code flowkit_read_manifest_list(const void* file, size_t size_bytes,
                                        const char* const* columns, int64_t column_count,
                                        ArrowSchema* out_schema, ArrowArray* out_array,
                                        flowkit_message* message) {
  return read_file(file, size_bytes, columns, column_count, {out_schema, out_array}, message,
                   flowkit::read_manifest_list);
}

flowkit_code flowkit_chunk_boundaries(const void* data, size_t size_bytes, int64_t min_size,
                                      int64_t average_size, int64_t max_size,
                                      ArrowSchema* out_schema, ArrowArray* out_array,
                                      flowkit_message* message) {
  return call({out_schema, out_array}, message, [&](Array& out) {
    std::vector<std::int64_t> cuts;
    Status done = flowkit::chunk_boundaries(bytes_of(data, size_bytes),
                                            {min_size, average_size, max_size}, cuts);
    if (done.ok()) {
      out = flowkit::make_array("l", std::ssize(cuts),
                                flowkit::Values<std::int64_t>(cuts.begin(), cuts.end()));
    }
    return done;
  });
}
