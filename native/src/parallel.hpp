#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "guarded.hpp"

namespace flowkit {

/// More threads than any machine of today has processors.
constexpr int most_threads = 4096;

/// Calls `body(begin, end)` for pieces of [0, count) of `piece` rows, on at most `threads` threads
/// of which the caller's is one; they have ended when this returns. Returns the first failure, if
/// any.
///
/// A `piece` that is a multiple of 8 gives each thread whole bytes of a bitmap.
template <typename Body>
Status in_parallel(std::int64_t count, std::int64_t piece, int threads, const Body& body) {
  require(threads >= 1 && threads <= most_threads, "threads must be between 1 and 4096");
  const auto pieces = count / piece + static_cast<std::int64_t>(count % piece != 0);
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&](Status& status) {
    status = guarded([&]() -> Status {
      while (!failed) {
        const auto at = next.fetch_add(1);
        if (at >= pieces) {
          break;
        }
        body(at * piece, std::min(count, (at + 1) * piece));
      }
      return {};
    });
    if (!status.ok()) {
      failed = true;
    }
  };
  const auto workers = static_cast<std::size_t>(std::clamp<std::int64_t>(pieces, 1, threads));
  std::vector<Status> statuses(workers);
  {
    std::vector<std::jthread> others;
    others.reserve(workers - 1);
    // Where the system starts no more, those that run share the pieces: no reason to fail.
    (void)guarded([&]() -> Status {
      for (std::size_t at = 1; at < workers; ++at) {
        others.emplace_back(work, std::ref(statuses[at]));
      }
      return {};
    });
    work(statuses[0]);
  }
  for (const Status& status : statuses) {
    if (!status.ok()) {
      return status;
    }
  }
  return {};
}

}  // namespace flowkit
