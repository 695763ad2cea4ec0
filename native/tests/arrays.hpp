#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "check.hpp"
#include "flowkit/array.hpp"
#include "flowkit/arrow_c.h"
#include "flowkit/owned.hpp"

/// An array in the C data interface whose every field a test may set wrong.
class Given {
 public:
  Given(std::string format, std::int64_t length, std::vector<const void*> buffers)
      : format_(std::move(format)), buffers_(std::move(buffers)) {
    schema.format = format_.c_str();
    schema.name = "";
    schema.flags = ARROW_FLAG_NULLABLE;
    schema.release = [](ArrowSchema* released) { released->release = nullptr; };
    array.length = length;
    array.n_buffers = static_cast<std::int64_t>(buffers_.size());
    array.buffers = buffers_.data();
    array.release = [](ArrowArray* released) { released->release = nullptr; };
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  [[nodiscard]] flowkit::Chunks chunks() const { return {&schema, &pointer_, 1}; }

  ArrowSchema schema{};
  ArrowArray array{};

 private:
  std::string format_;
  std::vector<const void*> buffers_;
  const ArrowArray* pointer_ = &array;
};

/// Returns the numbers of an array of a type with values of the size of T.
template <typename T>
std::vector<T> numbers(const flowkit::Array& array) {
  flowkit::Owned<ArrowArray> exported;
  CHECK(array.export_array(exported.get()).ok());
  CHECK(exported->n_buffers == 2 && exported->offset == 0);
  const auto* values = static_cast<const T*>(exported->buffers[1]);
  return {values, values + exported->length};
}
