#include "bytes.hpp"

#include <string>

#include "errors.hpp"

namespace nb = nanobind;

Bytes::Bytes(nb::handle exporter, const char* role) {
  if (PyObject_CheckBuffer(exporter.ptr()) == 0) {
    const std::string message = std::string("`") + role + "` has no bytes but is of type `" +
                                nb::str(exporter.type().attr("__name__")).c_str() + "`";
    raise("UsageError", nb::str(message.c_str()), "pass bytes, a memoryview or an array");
  }
  if (PyObject_GetBuffer(exporter.ptr(), &view_, PyBUF_SIMPLE) == 0) {
    return;
  }
  // NumPy raises ValueError where the protocol asks for BufferError.
  if (PyErr_ExceptionMatches(PyExc_BufferError) == 0 &&
      PyErr_ExceptionMatches(PyExc_ValueError) == 0) {
    throw nb::python_error();
  }
  PyErr_Clear();
  raise("UsageError", nb::str("the buffer is not C-contiguous"),
        "copy it first, for example with `bytes(buffer)`");
}
