#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "column.hpp"
#include "flowkit/blocking.hpp"
#include "guarded.hpp"

namespace flowkit {

/// Goes through the pairs of a source once; keeps the source alive.
class PairCursor {
 public:
  PairCursor() noexcept = default;
  PairCursor(const PairCursor&) = delete;
  PairCursor& operator=(const PairCursor&) = delete;
  virtual ~PairCursor() = default;

  /// Writes the next `count` pairs; returns how many there were, which is fewer only at the end.
  virtual std::size_t fill(std::int32_t* left, std::int32_t* right, std::size_t count) noexcept = 0;
};

/// Immutable: any number of threads may open cursors and use them.
class PairSource : public std::enable_shared_from_this<PairSource> {
 public:
  PairSource() noexcept = default;
  PairSource(const PairSource&) = delete;
  PairSource& operator=(const PairSource&) = delete;
  virtual ~PairSource() = default;

  [[nodiscard]] virtual std::unique_ptr<PairCursor> open() const = 0;
};

/// The checked columns of a call; `right` is `left` itself if pairs are of two of its rows.
class BlockedColumns {
 public:
  /// Throws InvalidData, also for a `batch_rows` that is out of range.
  BlockedColumns(const Chunks& left, const Chunks* right, std::int64_t batch_rows);

  [[nodiscard]] bool is_one() const noexcept { return columns_.size() == 1; }
  [[nodiscard]] const Column& left() const noexcept { return columns_.front(); }
  [[nodiscard]] const Column& right() const noexcept { return columns_.back(); }
  [[nodiscard]] const std::vector<Column>& all() const noexcept { return columns_; }

 private:
  std::vector<Column> columns_;
};

/// Calls `body` with a function from (chunk, at) to the bytes of a value that is not null, of a
/// type whose values are equal if their bytes are.
template <typename Body>
void with_key_bytes(const Type& type, std::string_view what, Body&& body) {
  switch (type.kind) {
    case Kind::boolean:
    case Kind::float16:
    case Kind::float32:
    case Kind::float64:
      refuse_type(type, what);
    default:
      break;
  }
  if (type.kind >= Kind::utf8) {
    return with_bytes(type, what, body);
  }
  body(
      [width = type.width](const Chunk& chunk, std::int64_t at) { return chunk.fixed(at, width); });
}

/// Calls `body(chunk, at, row)` for each row of a column that is not null.
template <typename Body>
void for_valid_rows(const Column& column, std::int64_t begin, std::int64_t end, const Body& body) {
  column.for_parts(begin, end,
                   [&](const Chunk& chunk, std::int64_t at, std::int64_t last, std::int64_t row) {
                     for (; at < last; ++at, ++row) {
                       if (!chunk.is_null(at)) {
                         body(chunk, at, static_cast<std::size_t>(row));
                       }
                     }
                   });
}

}  // namespace flowkit
