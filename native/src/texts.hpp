#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "buffer.hpp"
#include "column.hpp"

namespace flowkit {

/// A row of a column of strings, ready for kernels. A short ASCII text lies in the row itself:
/// pairs jump about, and each place that they jump to is a wait for memory.
class alignas(32) Text {
 public:
  static constexpr std::int32_t longest_inside = 24;

  std::int32_t size = 0;  ///< code points
  bool is_ascii = true;
  bool is_null = false;

  /// Of a text that is ASCII; 64 bytes may be read, whatever its size.
  [[nodiscard]] const char* narrow() const noexcept {
    return is_ascii && size <= longest_inside ? inside_.data()
                                              : static_cast<const char*>(outside());
  }
  /// Of a text that is not ASCII.
  [[nodiscard]] const char32_t* wide() const noexcept {
    return static_cast<const char32_t*>(outside());
  }

  void place_inside(std::string_view text) noexcept {
    std::memcpy(inside_.data(), text.data(), text.size());
  }
  void place_outside(const void* data) noexcept {
    std::memcpy(inside_.data(), static_cast<const void*>(&data), sizeof(data));
  }

 private:
  [[nodiscard]] const void* outside() const noexcept { return load<const void*>(inside_.data()); }

  std::array<char, longest_inside> inside_{};
};

/// The rows of a column of strings, decoded once: code points are bytes where a row is ASCII, as
/// most are, and 32 bits elsewhere.
class Texts {
 public:
  /// Throws InvalidData if the column is no column of strings, or a string is not UTF-8.
  explicit Texts(const Column& column);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool has_nulls() const noexcept { return has_nulls_; }
  [[nodiscard]] bool is_null(std::size_t row) const noexcept { return rows_[row].is_null; }

  /// Brings a row closer.
  void prefetch(std::size_t row) const noexcept { __builtin_prefetch(&rows_[row]); }

  [[nodiscard]] const Text& operator[](std::size_t row) const noexcept { return rows_[row]; }

 private:
  /// Decodes a text; returns where it begins in its memory, if it does not lie inside.
  std::size_t add(Text& text, std::string_view bytes);

  std::size_t size_;
  std::vector<Text> rows_;  // and some behind, so that 64 bytes of any may be read
  bool has_nulls_;
  Values<char> narrow_;
  Values<char32_t> wide_;
};

}  // namespace flowkit
