#include "flowkit/status.hpp"

#include <algorithm>
#include <string_view>

#include "utf8.hpp"

namespace flowkit {

Status::Status(Code code, std::string_view message) noexcept : code_(code) {
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  while (!message.empty()) {
    std::string_view rest = message;
    const bool is_text = next_code_point(rest) <= 0x10ffff;
    const auto next = is_text ? message.substr(0, message.size() - rest.size()) : replacement;
    if (next.size() > capacity - length_) {
      return;
    }
    std::ranges::copy(next, text_.data() + length_);
    length_ += next.size();
    message.remove_prefix(is_text ? next.size() : 1);
  }
}

}  // namespace flowkit
