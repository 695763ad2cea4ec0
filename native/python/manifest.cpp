// Readers of Iceberg's metadata in Avro.

#include "flowkit/manifest.hpp"

#include <nanobind/nanobind.h>

#include <string_view>
#include <vector>

#include "arrow.hpp"
#include "bindings.hpp"
#include "bytes.hpp"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

template <auto read>
flowkit::Array read_file(nb::handle file, const nb::tuple& columns) {
  const Bytes bytes(file, "file");
  std::vector<std::string_view> names;
  for (const nb::handle column : columns) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(column.ptr(), &size);  // the string keeps it
    if (text == nullptr) {
      throw nb::python_error();
    }
    names.emplace_back(text, static_cast<std::size_t>(size));
  }
  flowkit::Array out;
  run_released(nullptr, [&] { return read(bytes.span(), names, out); });
  return out;
}

}  // namespace

void bind_manifest(nb::module_& module) {
  module.def("read_manifest", &read_file<flowkit::read_manifest>, "file"_a.none(), "columns"_a);
  module.def("read_manifest_list", &read_file<flowkit::read_manifest_list>, "file"_a.none(),
             "columns"_a);
}
