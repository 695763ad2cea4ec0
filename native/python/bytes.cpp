#include "bytes.hpp"

#include "errors.hpp"

namespace nb = nanobind;

Bytes::Bytes(nb::handle exporter) {
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
