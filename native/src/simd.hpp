#pragma once

#include <cstdint>

namespace flowkit {

/// Instructions that a kernel may use beyond those that every processor of the kind has.
enum class Simd : std::uint8_t { none, avx2, avx512 };

/// Returns the best that this processor has.
inline Simd best_simd() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0) {
    return Simd::avx512;
  }
  if (__builtin_cpu_supports("avx2") != 0) {
    return Simd::avx2;
  }
#endif
  return Simd::none;
}

}  // namespace flowkit
