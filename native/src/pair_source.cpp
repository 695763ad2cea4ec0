#include "pair_source.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include "array_node.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t most_rows = std::numeric_limits<std::int32_t>::max();

Array make_index(Values<std::int32_t>&& rows, std::string name) {
  const std::int64_t length = std::ssize(rows);
  auto node = std::make_shared<ArrayNode>();
  node->format = std::string("i");
  node->name = std::move(name);
  node->flags = 0;
  node->length = length;
  node->buffers = {{}, Buffer(std::move(rows))};
  return Array(std::move(node));
}

Array make_batch(const Array& left, const Array& right) {
  auto node = std::make_shared<ArrayNode>();
  node->format = std::string("+s");
  node->flags = 0;
  node->length = left.length();
  node->buffers = {{}};
  node->children = {left, right};
  return Array(std::move(node));
}

/// What an exported stream owns.
struct Stream {
  explicit Stream(PairReader read) noexcept : reader(std::move(read)) {}

  PairReader reader;
  std::string error;
};

Stream& stream_of(ArrowArrayStream* stream) noexcept {
  return *static_cast<Stream*>(stream->private_data);
}

/// Keeps what a Status says, and returns the number that stands for it.
int report(Stream& stream, const Status& status) noexcept {
  if (status.ok()) {
    return 0;
  }
  if (status.code() == Status::Code::out_of_memory) {
    return ENOMEM;
  }
  // Short of memory for the reason, there is at least the number.
  const Status kept = guarded([&]() -> Status {
    stream.error = std::string(status.message());
    return {};
  });
  return kept.ok() && status.code() == Status::Code::invalid_data ? EINVAL : EIO;
}

int get_schema(ArrowArrayStream* stream, ArrowSchema* out) noexcept {
  return report(stream_of(stream), guarded([&]() -> Status {
                  return make_batch(make_index({}, "left_index"), make_index({}, "right_index"))
                      .export_schema(out);
                }));
}

int get_next(ArrowArrayStream* stream, ArrowArray* out) noexcept {
  return report(stream_of(stream), guarded([&]() -> Status {
                  Array left;
                  Array right;
                  Status status = stream_of(stream).reader.next(left, right);
                  if (!status.ok()) {
                    return status;
                  }
                  if (left.length() == 0) {
                    *out = ArrowArray{};
                    return {};
                  }
                  return make_batch(left, right).export_array(out);
                }));
}

const char* get_last_error(ArrowArrayStream* stream) noexcept {
  const std::string& error = stream_of(stream).error;
  return error.empty() ? nullptr : error.c_str();
}

void release(ArrowArrayStream* stream) noexcept {
  const std::unique_ptr<Stream> owned(static_cast<Stream*>(stream->private_data));
  stream->release = nullptr;
}

}  // namespace

PairReader::PairReader(std::unique_ptr<PairCursor> cursor, std::int64_t batch_rows) noexcept
    : cursor_(std::move(cursor)), batch_rows_(batch_rows) {}
PairReader::PairReader(PairReader&& other) noexcept = default;
PairReader& PairReader::operator=(PairReader&& other) noexcept = default;
PairReader::~PairReader() = default;

Status PairReader::next(Array& left_index, Array& right_index) noexcept {
  return guarded([&]() -> Status {
    Values<std::int32_t> left;
    Values<std::int32_t> right;
    if (cursor_ != nullptr) {
      const auto size = static_cast<std::size_t>(batch_rows_);
      left.resize(size);
      right.resize(size);
      const std::size_t filled = cursor_->fill(left.data(), right.data(), size);
      if (filled < size) {
        for (auto* rows : {&left, &right}) {
          rows->resize(filled);
          rows->shrink_to_fit();
        }
        cursor_.reset();
      }
    }
    Array made_left = make_index(std::move(left), "left_index");
    right_index = make_index(std::move(right), "right_index");
    left_index = std::move(made_left);
    return {};
  });
}

Status PairBatches::read(std::unique_ptr<PairReader>& out) const noexcept {
  return guarded([&]() -> Status {
    out = std::make_unique<PairReader>(source_ == nullptr ? nullptr : source_->open(), batch_rows_);
    return {};
  });
}

Status PairBatches::export_stream(ArrowArrayStream* out) const noexcept {
  return guarded([&]() -> Status {
    auto owned = std::make_unique<Stream>(
        PairReader(source_ == nullptr ? nullptr : source_->open(), batch_rows_));
    *out = {&get_schema, &get_next, &get_last_error, &release, owned.release()};
    return {};
  });
}

BlockedColumns::BlockedColumns(const Chunks& left, const Chunks* right, std::int64_t batch_rows) {
  require(batch_rows >= 1 && batch_rows <= most_rows,
          "batch_rows must be between 1 and 2147483647");
  columns_.reserve(2);
  columns_.emplace_back(left, "left");
  std::int64_t rows = columns_[0].length();
  if (right != nullptr) {
    columns_.emplace_back(*right, "right");
    rows += columns_[1].length();
    const Type& type = columns_[0].type();
    const Type& other = columns_[1].type();
    require((type.is_text() && other.is_text()) || (type.is_bytes() && other.is_bytes()) ||
                type.format == other.format,
            "left and right are of different types; cast one of them");
  }
  require(rows <= most_rows, "the columns have over 2147483647 rows in all");
}

}  // namespace flowkit
