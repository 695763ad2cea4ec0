#pragma once

#include <cstdint>

// A kernel for pairs is compiled with and without AVX2, and some with AVX-512. What it consists of
// is always inlined, so that it takes the instructions of the function that it ends up in.
#define FLOWKIT_INLINE [[gnu::always_inline]] inline
#define FLOWKIT_INLINE_LAMBDA __attribute__((always_inline))
#if defined(__x86_64__)
#define FLOWKIT_AVX2 [[gnu::target("avx2,bmi,bmi2,popcnt")]]
#define FLOWKIT_AVX512                                                                         \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt,prefer-vector-width=" \
                "512")]]
#endif

namespace flowkit {

/// Instructions that a kernel may use beyond those that every processor of the kind has.
enum class Simd : std::uint8_t { none, avx2, avx512 };

/// Returns the best that this processor has.
inline Simd best_simd() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("bmi") == 0 ||
      __builtin_cpu_supports("bmi2") == 0 || __builtin_cpu_supports("popcnt") == 0) {
    return Simd::none;
  }
  const bool has_avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return has_avx512 ? Simd::avx512 : Simd::avx2;
#else
  return Simd::none;
#endif
}

}  // namespace flowkit
