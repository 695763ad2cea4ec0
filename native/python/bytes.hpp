#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <span>

/// Holds the bytes of an object that exports a C-contiguous buffer; the exporter cannot move or
/// resize them meanwhile.
class Bytes {
 public:
  /// Raises UsageError, in which `role` names the argument, if the object has no buffer or one that
  /// is not C-contiguous.
  Bytes(nanobind::handle exporter, const char* role);
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { PyBuffer_Release(&view_); }

  [[nodiscard]] std::span<const std::byte> span() const noexcept {
    return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};
