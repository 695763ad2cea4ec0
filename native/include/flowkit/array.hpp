#pragma once

#include <cstdint>
#include <memory>

#include "flowkit/arrow_c.h"
#include "flowkit/status.hpp"

namespace flowkit {

/// A column as the library takes it: arrays of one type, one after the other.
///
/// Everything is borrowed and stays the caller's. Each call checks the schema and the arrays before
/// it reads a value: format, number of buffers and children, lengths, offsets. What the interface
/// does not tell (the sizes of buffers) cannot be checked.
struct Chunks {
  const ArrowSchema* schema = nullptr;
  const ArrowArray* const* arrays = nullptr;
  std::int64_t count = 0;
};

/// What an array that the library made holds; for the library only.
struct ArrayNode;

/// An array that the library made: immutable, cheap to copy, and exported any number of times.
class Array {
 public:
  /// An array of no values and no type, which cannot be exported.
  Array() noexcept = default;
  explicit Array(std::shared_ptr<const ArrayNode> node) noexcept : node_(std::move(node)) {}

  [[nodiscard]] std::int64_t length() const noexcept;

  /// Fills in `out` with the type. Whoever owns `out` releases it; it may outlive this object.
  Status export_schema(ArrowSchema* out) const noexcept;

  /// Fills in `out` with the values, without copying them. Whoever owns `out` releases it, in any
  /// thread; it may outlive this object.
  Status export_array(ArrowArray* out) const noexcept;

  [[nodiscard]] const ArrayNode& node() const noexcept { return *node_; }

 private:
  std::shared_ptr<const ArrayNode> node_;
};

}  // namespace flowkit
