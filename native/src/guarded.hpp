#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "flowkit/status.hpp"

namespace flowkit {

/// The caller's arguments or bytes are at fault; `guarded` turns it into a Status.
class InvalidData : public std::exception {
 public:
  explicit InvalidData(std::string message) : message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// Throws InvalidData if `claim` does not hold.
inline void require(bool claim, std::string_view message) {
  if (!claim) {
    throw InvalidData(std::string(message));
  }
}

/// Runs `body`; an InvalidData that it throws gets `where` in front of its message.
template <typename Body>
void within(std::string_view where, Body&& body) {
  try {
    std::forward<Body>(body)();
  } catch (const InvalidData& error) {
    throw InvalidData(std::string(where) + ": " + error.what());
  }
}

/// Runs `body` and turns whatever it throws into a Status: the library's last catch.
template <typename Body>
Status guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const InvalidData& error) {
    return {Status::Code::invalid_data, error.what()};
  } catch (const std::bad_alloc&) {
    return {Status::Code::out_of_memory, {}};
  } catch (const std::exception& error) {
    return {Status::Code::bug, error.what()};
  } catch (...) {
    return {Status::Code::bug, "unknown"};
  }
}

}  // namespace flowkit
