#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "column.hpp"

namespace flowkit {

/// Numbers tokens: the same token has the same number, in every column that they are from.
class Vocabulary {
 public:
  Vocabulary() : slots_(1024) {}

  /// Borrows the bytes of a token that is new.
  std::uint32_t number(std::string_view token);

  /// How many different tokens there were.
  [[nodiscard]] std::uint32_t size() const noexcept { return count_; }

 private:
  struct Slot {
    std::string_view token;
    std::uint32_t hash = 0;
    std::uint32_t number = free;
  };
  static constexpr std::uint32_t free = 0xffffffff;

  Slot& find(std::string_view token, std::uint32_t hash) noexcept;
  void grow();

  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
};

/// The set of tokens of each row of a column of strings: runs of code points between white space.
class TokenSets {
 public:
  /// Borrows the column's bytes for `vocabulary`. Throws InvalidData if it is no column of strings,
  /// or a string is not UTF-8.
  TokenSets(const Column& column, Vocabulary& vocabulary);

  [[nodiscard]] std::size_t size() const noexcept { return begins_.size() - 1; }
  [[nodiscard]] bool has_nulls() const noexcept { return !nulls_.empty(); }
  [[nodiscard]] bool is_null(std::size_t row) const noexcept {
    return !nulls_.empty() && nulls_[row] != 0;
  }
  void prefetch(std::size_t row) const noexcept { __builtin_prefetch(&begins_[row]); }

  /// The numbers of a row's tokens, rising.
  [[nodiscard]] std::span<const std::uint32_t> operator[](std::size_t row) const noexcept {
    return std::span(numbers_).subspan(begins_[row], begins_[row + 1] - begins_[row]);
  }

 private:
  void add(std::string_view text, Vocabulary& vocabulary);

  /// Sorts the numbers from `begin` on, and keeps each once.
  void make_set(std::size_t begin);

  std::vector<std::size_t> begins_;
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint8_t> nulls_;
};

}  // namespace flowkit
