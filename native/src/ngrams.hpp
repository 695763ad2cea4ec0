#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "column.hpp"
#include "tokens.hpp"

namespace flowkit {

/// The n-grams of each row of a column of strings, and how often each is there. A string that is
/// shorter than n and not empty is its own only n-gram.
class NgramCounts {
 public:
  /// An n-gram by its number, and how often it is there.
  struct Counted {
    std::uint32_t number;
    std::uint32_t count;
  };

  /// Borrows the column's bytes for `vocabulary`. Throws InvalidData if it is no column of strings,
  /// or a string is not UTF-8.
  NgramCounts(const Column& column, std::size_t n, Vocabulary& vocabulary);

  [[nodiscard]] std::size_t size() const noexcept { return rows_.size() - 1; }
  [[nodiscard]] bool has_nulls() const noexcept { return has_nulls_; }
  [[nodiscard]] bool is_null(std::size_t row) const noexcept { return rows_[row].squares < 0; }
  void prefetch(std::size_t row) const noexcept { __builtin_prefetch(&rows_[row]); }

  /// Those of a row, which is not null, by rising numbers.
  [[nodiscard]] std::span<const Counted> operator[](std::size_t row) const noexcept {
    return std::span(counts_).subspan(rows_[row].begin, rows_[row + 1].begin - rows_[row].begin);
  }
  /// The sum of the squares of their counts.
  [[nodiscard]] double squares(std::size_t row) const noexcept { return rows_[row].squares; }

 private:
  struct Row {
    std::size_t begin;
    double squares;  // below 0 if the row is null
  };

  void add(std::string_view text, std::size_t n, Vocabulary& vocabulary);

  bool has_nulls_;
  std::vector<Row> rows_;  // and an end
  std::vector<Counted> counts_;
  std::vector<std::size_t> starts_;     // of the code points of a text
  std::vector<std::uint32_t> numbers_;  // of its n-grams
};

}  // namespace flowkit
