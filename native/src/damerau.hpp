#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace flowkit {

/// Damerau's and Levenshtein's distance of two texts: insertions, deletions, substitutions and
/// transpositions of neighbours, between which others may be put in or left out.
///
/// Lowrance and Wagner, "An Extension of the String-to-String Correction Problem", 1975. A
/// transposition ends at row i and column j of the table of distances, and starts at the last row k
/// before that has the code point of column j, and the last column l that has that of row i. It can
/// only pay if k is i - 1 or l is j - 1 (Zhao and Sahni, "String Correction Using the
/// Damerau-Levenshtein Distance", 2019), so that three rows of the table are enough.
class Damerau {
 public:
  template <typename Character>
  std::int32_t distance(std::span<const Character> left, std::span<const Character> right) {
    const std::size_t width = right.size() + 1;
    before_.assign(width, 0);
    row_.resize(width);
    last_.resize(width);
    columns_.assign(width, {});
    for (std::size_t column = 0; column < width; ++column) {
      last_[column] = static_cast<std::int32_t>(column);
    }
    for (std::size_t at = 0; at < left.size(); ++at) {
      fill_row(static_cast<std::int32_t>(at + 1), left[at], right);
      std::swap(before_, last_);
      std::swap(last_, row_);
    }
    return last_.back();
  }

 private:
  /// Of a column: the last row with the same code point, and the distance before both.
  struct Match {
    std::int32_t row = 0;
    std::int32_t distance = 0;
  };

  template <typename Character>
  void fill_row(std::int32_t row, Character point, std::span<const Character> right) noexcept {
    row_[0] = row;
    std::size_t match = 0;  // the last column with the code point of this row, if not 0
    for (std::size_t column = 1; column <= right.size(); ++column) {
      Match& above = columns_[column];
      if (right[column - 1] == point) {
        row_[column] = last_[column - 1];
        above = {row, column >= 2 ? last_[column - 2] : 0};
        match = column;
        continue;
      }
      std::int32_t least = std::min({last_[column - 1], last_[column], row_[column - 1]}) + 1;
      if (above.row != 0 && match != 0) {
        if (match == column - 1) {
          least = std::min(least, above.distance + row - above.row);
        } else if (above.row == row - 1) {
          least = std::min(least, before_[match - 1] + static_cast<std::int32_t>(column - match));
        }
      }
      row_[column] = least;
    }
  }

  std::vector<std::int32_t> row_;
  std::vector<std::int32_t> last_;    // the row before
  std::vector<std::int32_t> before_;  // and the one before that
  std::vector<Match> columns_;
};

}  // namespace flowkit
