#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <vector>

#include "errors.hpp"
#include "flowkit/array.hpp"
#include "flowkit/owned.hpp"

/// A Python object's Arrow data: its `__arrow_c_array__`, or all of its `__arrow_c_stream__`.
class ArrowInput {
 public:
  /// Raises UsageError, in which `role` names the argument, if the object does not speak Arrow.
  ArrowInput(nanobind::handle object, const char* role);

  /// Borrowed from this object.
  [[nodiscard]] flowkit::Chunks chunks() const noexcept {
    return {&*schema_, pointers_.data(), static_cast<std::int64_t>(pointers_.size())};
  }

 private:
  void read_stream(ArrowArrayStream& stream, const char* role);

  flowkit::Owned<ArrowSchema> schema_;
  std::vector<flowkit::Owned<ArrowArray>> arrays_;
  std::vector<const ArrowArray*> pointers_;
};

/// Runs `work`, which returns a Status, without the GIL; raises what it stands for.
template <typename Work>
void run_released(const char* hint, const Work& work) {
  flowkit::Status status;
  {
    const nanobind::gil_scoped_release released;
    status = work();
  }
  raise_unless_ok(status, hint);
}

/// Returns a capsule that owns the stream, until a consumer moves it out.
nanobind::object stream_capsule(flowkit::Owned<ArrowArrayStream>&& stream);

/// Adds the class of results to the module: it speaks the Arrow PyCapsule protocol.
void define_array(nanobind::module_& module);
