#pragma once

#include <utility>

#include "flowkit/arrow_c.h"

namespace flowkit {

/// Owns one Arrow C struct. Moving empties the source; destruction releases exactly once.
template <typename T>
class Owned {
 public:
  Owned() noexcept = default;

  /// Takes over what `from` holds, and marks it as released.
  explicit Owned(T* from) noexcept : value_(std::exchange(*from, T{})) {}

  Owned(Owned&& other) noexcept : Owned(&other.value_) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (value_.release != nullptr) {
      value_.release(&value_);
    }
  }

  const T* operator->() const noexcept { return &value_; }
  const T& operator*() const noexcept { return value_; }

  /// The struct itself, for a producer to fill in or for a stream to be read.
  T* get() noexcept { return &value_; }

  /// Hands the struct over to whoever owns `out`.
  void move_to(T* out) noexcept { *out = std::exchange(value_, T{}); }

 private:
  T value_{};
};

}  // namespace flowkit
