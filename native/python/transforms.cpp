// Columns in, a column out: Iceberg's transforms, the partition permutation, rows by their numbers.

#include "flowkit/transforms.hpp"

#include <nanobind/nanobind.h>

#include <cstdint>

#include "arrow.hpp"
#include "bindings.hpp"
#include "flowkit/gather.hpp"
#include "flowkit/partition.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

flowkit::Array bucket(nb::handle values, std::int32_t count, int threads) {
  const ArrowInput input(values, "values");
  flowkit::Array out;
  run_released(nullptr, [&] { return flowkit::bucket(input.chunks(), count, threads, out); });
  return out;
}

flowkit::Array truncated(nb::handle values, std::int32_t width, int threads) {
  const ArrowInput input(values, "values");
  flowkit::Array out;
  run_released(nullptr, [&] { return flowkit::truncate(input.chunks(), width, threads, out); });
  return out;
}

template <flowkit::CalendarUnit unit>
flowkit::Array calendar(nb::handle values, int threads) {
  const ArrowInput input(values, "values");
  flowkit::Array out;
  run_released(nullptr, [&] { return flowkit::calendar(input.chunks(), unit, threads, out); });
  return out;
}

nb::tuple partition_permutation(nb::handle codes, std::int64_t count, int threads) {
  const ArrowInput input(codes, "codes");
  flowkit::Array permutation;
  flowkit::Array offsets;
  run_released(nullptr, [&] {
    return flowkit::partition_permutation(input.chunks(), count, threads, permutation, offsets);
  });
  return nb::make_tuple(permutation, offsets);
}

flowkit::Array gather(nb::handle values, nb::handle indices, int threads) {
  const ArrowInput input(values, "values");
  const ArrowInput rows(indices, "indices");
  flowkit::Array out;
  run_released(nullptr,
               [&] { return flowkit::gather(input.chunks(), rows.chunks(), threads, out); });
  return out;
}

}  // namespace

void bind_transforms(nb::module_& module) {
  using flowkit::CalendarUnit;
  module.def("bucket", &bucket, "values"_a.none(), "count"_a, "threads"_a);
  module.def("truncate", &truncated, "values"_a.none(), "width"_a, "threads"_a);
  module.def("year", &calendar<CalendarUnit::year>, "values"_a.none(), "threads"_a);
  module.def("month", &calendar<CalendarUnit::month>, "values"_a.none(), "threads"_a);
  module.def("day", &calendar<CalendarUnit::day>, "values"_a.none(), "threads"_a);
  module.def("hour", &calendar<CalendarUnit::hour>, "values"_a.none(), "threads"_a);
  module.def("partition_permutation", &partition_permutation, "codes"_a.none(), "count"_a,
             "threads"_a);
  module.def("gather", &gather, "values"_a.none(), "indices"_a.none(), "threads"_a);
}
