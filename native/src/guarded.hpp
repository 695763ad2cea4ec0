#pragma once

#include <exception>
#include <new>
#include <utility>

#include "flowkit/status.hpp"

namespace flowkit {

/// Runs `body` and turns whatever it throws into a Status: the only catch in the library.
template <typename Body>
Status guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return {Status::Code::out_of_memory, {}};
  } catch (const std::exception& error) {
    return {Status::Code::bug, error.what()};
  } catch (...) {
    return {Status::Code::bug, "unknown"};
  }
}

}  // namespace flowkit
