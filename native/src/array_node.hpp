#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "flowkit/array.hpp"

namespace flowkit {

struct ArrayNode {
  std::string format;
  std::string name;
  std::string metadata;  ///< encoded as the C data interface wants it, or empty
  std::int64_t flags = ARROW_FLAG_NULLABLE;
  std::int64_t length = 0;
  std::int64_t null_count = 0;
  std::vector<Buffer> buffers;
  std::vector<Array> children;
};

/// Makes an array of a type with one buffer of values; `validity` is empty if nothing is null.
template <typename T>
Array make_array(std::string format, std::int64_t length, Values<T>&& values, Buffer validity = {},
                 std::int64_t null_count = 0) {
  auto node = std::make_shared<ArrayNode>();
  node->format = std::move(format);
  node->length = length;
  node->null_count = null_count;
  node->buffers = {std::move(validity), Buffer(std::move(values))};
  return Array(std::move(node));
}

}  // namespace flowkit
