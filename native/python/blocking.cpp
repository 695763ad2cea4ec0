// Blocking: pairs of rows, batch by batch.

#include "flowkit/blocking.hpp"

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "arrow.hpp"
#include "bindings.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

/// Takes the columns of a call, of which the right one may be None, and runs `work(left, right,
/// out)`.
template <typename Work>
flowkit::PairBatches block(nb::handle left, nb::handle right, const Work& work) {
  const ArrowInput left_input(left, "left");
  std::optional<ArrowInput> right_input;
  flowkit::Chunks right_chunks;
  if (!right.is_none()) {
    right_input.emplace(right, "right");
    right_chunks = right_input->chunks();
  }
  flowkit::PairBatches out;
  run_released(nullptr, [&] {
    return work(left_input.chunks(), right_input ? &right_chunks : nullptr, out);
  });
  return out;
}

flowkit::PairBatches key_blocks(nb::handle left, nb::handle right, std::int64_t batch_rows) {
  return block(left, right, [&](const auto& chunks, const auto* others, auto& out) {
    return flowkit::key_blocks(chunks, others, batch_rows, out);
  });
}

flowkit::PairBatches sorted_neighbourhood(nb::handle left, nb::handle right, std::int64_t window,
                                          std::int64_t batch_rows) {
  return block(left, right, [&](const auto& chunks, const auto* others, auto& out) {
    return flowkit::sorted_neighbourhood(chunks, others, window, batch_rows, out);
  });
}

flowkit::PairBatches minhash_lsh(nb::handle left, nb::handle right, std::int32_t ngram,
                                 std::int32_t bands, std::int32_t rows, std::uint64_t seed,
                                 std::int64_t batch_rows, int threads) {
  return block(left, right, [&](const auto& chunks, const auto* others, auto& out) {
    return flowkit::minhash_lsh(chunks, others, {ngram, bands, rows, seed}, batch_rows, threads,
                                out);
  });
}

/// What `iter(batches)` returns.
class BatchIterator {
 public:
  explicit BatchIterator(const flowkit::PairBatches& batches) {
    run_released(nullptr, [&] { return batches.read(reader_); });
  }

  nb::tuple next() {
    flowkit::Array left;
    flowkit::Array right;
    run_released(nullptr, [&] {
      const std::lock_guard alone(*mutex_);
      return reader_->next(left, right);
    });
    if (left.length() == 0) {
      throw nb::stop_iteration();
    }
    return nb::make_tuple(left, right);
  }

 private:
  // Threads may share an iterator, and the GIL does not keep them apart here.
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::unique_ptr<flowkit::PairReader> reader_;
};

nb::object stream(const flowkit::PairBatches& batches, nb::handle) {
  flowkit::Owned<ArrowArrayStream> made;
  run_released(nullptr, [&] { return batches.export_stream(made.get()); });
  return stream_capsule(std::move(made));
}

}  // namespace

void bind_blocking(nb::module_& module) {
  nb::class_<BatchIterator>(module, "PairBatchIterator")
      .def("__iter__", [](nb::handle self) { return nb::borrow(self); })
      .def("__next__", &BatchIterator::next);
  nb::class_<flowkit::PairBatches>(module, "PairBatches")
      .def("__iter__", [](const flowkit::PairBatches& self) { return BatchIterator(self); })
      .def("__arrow_c_stream__", &stream, "requested_schema"_a = nb::none());
  module.def("key_blocks", &key_blocks, "left"_a.none(), "right"_a.none(), "batch_rows"_a);
  module.def("sorted_neighbourhood", &sorted_neighbourhood, "left"_a.none(), "right"_a.none(),
             "window"_a, "batch_rows"_a);
  module.def("minhash_lsh", &minhash_lsh, "left"_a.none(), "right"_a.none(), "ngram"_a, "bands"_a,
             "rows"_a, "seed"_a, "batch_rows"_a, "threads"_a);
}
