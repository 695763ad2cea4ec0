#include "errors.hpp"

#include <new>

namespace nb = nanobind;
using nb::literals::operator""_a;

void raise(const char* error_name, const nb::object& message, const char* hint) {
  const nb::object type = nb::module_::import_("flowkit.errors").attr(error_name);
  const nb::object error = hint == nullptr ? type(message) : type(message, "hint"_a = hint);
  PyErr_SetObject(type.ptr(), error.ptr());
  throw nb::python_error();
}

void raise_unless_ok(const flowkit::Status& status, const char* hint) {
  // What a file says may be quoted, and need not be text.
  const auto decode = [&] {
    return nb::steal(PyUnicode_DecodeUTF8(
        status.message().data(), static_cast<Py_ssize_t>(status.message().size()), "replace"));
  };
  switch (status.code()) {
    case flowkit::Status::Code::ok:
      return;
    case flowkit::Status::Code::invalid_data:
      raise("UsageError", decode(), hint);
    case flowkit::Status::Code::out_of_memory:
      throw std::bad_alloc();
    case flowkit::Status::Code::bug:
      break;
  }
  raise("FlowkitBug", decode(), nullptr);
}
