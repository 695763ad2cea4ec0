#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flowkit {

/// How a call ended. Every entry of the library returns one and throws nothing.
///
/// The message is held in place, because reporting that memory ran out must not ask for memory.
class [[nodiscard]] Status {
 public:
  enum class Code : std::uint8_t {
    ok,
    invalid_data,   ///< the caller's arguments or bytes are at fault
    out_of_memory,  ///< an allocation failed; nothing was changed
    bug,            ///< the library is at fault
  };

  /// No message has more bytes.
  static constexpr std::size_t capacity = 160;

  Status() noexcept = default;

  /// Keeps what has room of `message`, in whole code points; a byte that is not UTF-8, as files and
  /// callers may have them, becomes U+FFFD.
  Status(Code code, std::string_view message) noexcept;

  [[nodiscard]] bool ok() const noexcept { return code_ == Code::ok; }
  [[nodiscard]] Code code() const noexcept { return code_; }
  [[nodiscard]] std::string_view message() const noexcept { return {text_.data(), length_}; }

 private:
  Code code_ = Code::ok;
  std::size_t length_ = 0;
  std::array<char, capacity> text_{};
};

}  // namespace flowkit
