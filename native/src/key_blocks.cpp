#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "flowkit/blocking.hpp"
#include "groups.hpp"
#include "pair_source.hpp"
#include "tokens.hpp"

namespace flowkit {
namespace {

class KeyBlocks : public PairSource {
 public:
  explicit KeyBlocks(Groups groups) noexcept : groups_(std::move(groups)) {}

  [[nodiscard]] std::unique_ptr<PairCursor> open() const override;
  [[nodiscard]] const Groups& groups() const noexcept { return groups_; }

 private:
  Groups groups_;
};

class KeyCursor : public PairCursor {
 public:
  explicit KeyCursor(std::shared_ptr<const KeyBlocks> source) noexcept
      : source_(std::move(source)) {}

  std::size_t fill(std::int32_t* left, std::int32_t* right, std::size_t count) noexcept override {
    const Groups& groups = source_->groups();
    std::size_t filled = 0;
    while (filled < count) {
      if (partners_.empty()) {
        if (next_row_ == groups.size()) {
          break;
        }
        partners_ = groups.partners(next_row_++);
        continue;
      }
      const std::size_t taken = std::min(count - filled, partners_.size());
      std::fill_n(left + filled, taken, static_cast<std::int32_t>(next_row_ - 1));
      std::copy_n(partners_.data(), taken, right + filled);
      partners_ = partners_.subspan(taken);
      filled += taken;
    }
    return filled;
  }

 private:
  std::shared_ptr<const KeyBlocks> source_;
  std::size_t next_row_ = 0;
  std::span<const std::int32_t> partners_;  // those left of the row before it
};

std::unique_ptr<PairCursor> KeyBlocks::open() const {
  return std::make_unique<KeyCursor>(std::static_pointer_cast<const KeyBlocks>(shared_from_this()));
}

std::vector<std::uint32_t> number_keys(const Column& column, Vocabulary& vocabulary) {
  std::vector<std::uint32_t> numbers(static_cast<std::size_t>(column.length()), Groups::none);
  with_key_bytes(column.type(), "key_blocks", [&](auto bytes_of) {
    for_valid_rows(column, 0, column.length(),
                   [&](const Chunk& chunk, std::int64_t at, std::size_t row) {
                     numbers[row] = vocabulary.number(bytes_of(chunk, at));
                   });
  });
  return numbers;
}

}  // namespace

Status key_blocks(const Chunks& left, const Chunks* right, std::int64_t batch_rows,
                  PairBatches& out) noexcept {
  return guarded([&]() -> Status {
    const BlockedColumns columns(left, right, batch_rows);
    Vocabulary vocabulary;
    std::vector<std::uint32_t> numbers = number_keys(columns.left(), vocabulary);
    std::vector<std::uint32_t> others;
    if (!columns.is_one()) {
      others = number_keys(columns.right(), vocabulary);
    }
    Groups groups(std::move(numbers), columns.is_one() ? nullptr : &others, vocabulary.size());
    out = PairBatches(std::make_shared<const KeyBlocks>(std::move(groups)), batch_rows);
    return {};
  });
}

}  // namespace flowkit
