// Similarities of pairs of strings.

#include "flowkit/similarity.hpp"

#include <nanobind/nanobind.h>

#include <cstdint>

#include "arrow.hpp"
#include "bindings.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

/// Takes the four columns of a call, and runs `work(pairs, out)`.
template <typename Work>
flowkit::Array score(nb::handle left, nb::handle right, nb::handle left_index,
                     nb::handle right_index, const Work& work) {
  const ArrowInput left_input(left, "left");
  const ArrowInput right_input(right, "right");
  const ArrowInput left_indices(left_index, "left_index");
  const ArrowInput right_indices(right_index, "right_index");
  const flowkit::Pairs pairs{left_input.chunks(), right_input.chunks(), left_indices.chunks(),
                             right_indices.chunks()};
  flowkit::Array out;
  run_released(nullptr, [&] { return work(pairs, out); });
  return out;
}

template <auto kernel>
flowkit::Array similarity(nb::handle left, nb::handle right, nb::handle left_index,
                          nb::handle right_index, int threads) {
  return score(left, right, left_index, right_index,
               [&](const flowkit::Pairs& pairs, flowkit::Array& out) {
                 return kernel(pairs, threads, out);
               });
}

template <auto kernel>
flowkit::Array distance(nb::handle left, nb::handle right, nb::handle left_index,
                        nb::handle right_index, bool normalised, int threads) {
  using flowkit::Distance;
  return score(
      left, right, left_index, right_index, [&](const flowkit::Pairs& pairs, flowkit::Array& out) {
        return kernel(pairs, normalised ? Distance::similarity : Distance::edits, threads, out);
      });
}

flowkit::Array ngram_cosine(nb::handle left, nb::handle right, nb::handle left_index,
                            nb::handle right_index, std::int32_t n, int threads) {
  return score(left, right, left_index, right_index,
               [&](const flowkit::Pairs& pairs, flowkit::Array& out) {
                 return flowkit::ngram_cosine(pairs, n, threads, out);
               });
}

}  // namespace

void bind_similarity(nb::module_& module) {
  module.def("jaro", &similarity<flowkit::jaro>, "left"_a.none(), "right"_a.none(),
             "left_index"_a.none(), "right_index"_a.none(), "threads"_a);
  module.def("jaro_winkler", &similarity<flowkit::jaro_winkler>, "left"_a.none(), "right"_a.none(),
             "left_index"_a.none(), "right_index"_a.none(), "threads"_a);
  module.def("levenshtein", &distance<flowkit::levenshtein>, "left"_a.none(), "right"_a.none(),
             "left_index"_a.none(), "right_index"_a.none(), "normalised"_a, "threads"_a);
  module.def("damerau_levenshtein", &distance<flowkit::damerau_levenshtein>, "left"_a.none(),
             "right"_a.none(), "left_index"_a.none(), "right_index"_a.none(), "normalised"_a,
             "threads"_a);
  module.def("token_set_jaccard", &similarity<flowkit::token_set_jaccard>, "left"_a.none(),
             "right"_a.none(), "left_index"_a.none(), "right_index"_a.none(), "threads"_a);
  module.def("ngram_cosine", &ngram_cosine, "left"_a.none(), "right"_a.none(),
             "left_index"_a.none(), "right_index"_a.none(), "n"_a, "threads"_a);
}
