// The Python module `flowkit._native`: arguments in, results out, no logic of its own.

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#if defined(__linux__)
#include <sys/prctl.h>

#include <csignal>
#endif

#include "arrow.hpp"
#include "bindings.hpp"
#include "bytes.hpp"
#include "errors.hpp"
#include "flowkit/chunking.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

/// A buffer below this size is cut in less than a millisecond: not worth giving up the GIL.
constexpr std::size_t worth_releasing_gil = std::size_t{1} << 20U;

nb::bytes chunk_boundaries(nb::handle buffer, std::int64_t min_size, std::int64_t average_size,
                           std::int64_t max_size) {
  const Bytes bytes(buffer, "buffer");
  std::vector<std::int64_t> cuts;
  flowkit::Status status;
  const auto cut = [&] {
    status = flowkit::chunk_boundaries(bytes.span(), {min_size, average_size, max_size}, cuts);
  };
  if (bytes.span().size() < worth_releasing_gil) {
    cut();
  } else {
    const nb::gil_scoped_release released;
    cut();
  }
  raise_unless_ok(status, "choose sizes such as 16384, 65536 and 262144");
  return nb::bytes(cuts.data(), cuts.size() * sizeof(std::int64_t));
}

void die_with_parent() {
#if defined(__linux__)
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    throw nb::python_error();
  }
#endif
}

}  // namespace

NB_MODULE(_native, module) {
  module.def("chunk_boundaries", &chunk_boundaries, "buffer"_a.none(), "min_size"_a,
             "average_size"_a, "max_size"_a);
  module.def("die_with_parent", &die_with_parent);
  define_array(module);
  bind_transforms(module);
  bind_manifest(module);
  bind_similarity(module);
  bind_blocking(module);
}
