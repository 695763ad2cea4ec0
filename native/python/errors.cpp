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
  const auto message = [&] { return nb::str(status.message().data(), status.message().size()); };
  switch (status.code()) {
    case flowkit::Status::Code::ok:
      return;
    case flowkit::Status::Code::invalid_data:
      raise("UsageError", message(), hint);
    case flowkit::Status::Code::out_of_memory:
      throw std::bad_alloc();
    case flowkit::Status::Code::bug:
      break;
  }
  raise("FlowkitBug", message(), nullptr);
}
