#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace flowkit {

/// Leaves new elements as they are in memory: results are written once, not cleared before.
template <typename T>
class UnclearedAllocator : public std::allocator<T> {
 public:
  template <typename U>
  struct rebind {
    using other = UnclearedAllocator<U>;
  };
  template <typename U>
  void construct(U* place) noexcept {
    ::new (static_cast<void*>(place)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
};

/// A vector that is about to become a buffer of an array; `resize` does not clear.
template <typename T>
using Values = std::vector<T, UnclearedAllocator<T>>;

/// Shared, immutable bytes of an array.
class Buffer {
 public:
  Buffer() noexcept = default;

  template <typename T>
  explicit Buffer(Values<T>&& values) {
    auto owner = std::make_shared<Values<T>>(std::move(values));
    data_ = owner->data();
    owner_ = std::move(owner);
  }

  [[nodiscard]] const void* data() const noexcept { return data_; }

 private:
  std::shared_ptr<const void> owner_;
  const void* data_ = nullptr;
};

/// Reads a value from an address that need not be aligned.
template <typename T>
T load(const void* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace flowkit
