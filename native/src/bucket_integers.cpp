#include "bucket_integers.hpp"

#include "buffer.hpp"
#include "murmur3.hpp"

namespace flowkit {
namespace {

// One body, compiled once for each set of instructions: the compiler makes it into vectors.
template <typename T>
[[gnu::always_inline]] inline void body(const std::byte* values, std::int64_t count,
                                        Remainder remainder, std::int32_t* out) noexcept {
  for (std::int64_t at = 0; at < count; ++at) {
    const auto number = std::int64_t{load<T>(values + at * static_cast<std::int64_t>(sizeof(T)))};
    out[at] = remainder.of(Murmur3::hash(number) & 0x7fffffffU);
  }
}

template <typename T>
void with_none(const std::byte* values, std::int64_t count, Remainder remainder,
               std::int32_t* out) noexcept {
  body<T>(values, count, remainder, out);
}

#if defined(__x86_64__)

template <typename T>
[[gnu::target("avx2")]] void with_avx2(const std::byte* values, std::int64_t count,
                                       Remainder remainder, std::int32_t* out) noexcept {
  body<T>(values, count, remainder, out);
}

template <typename T>
[[gnu::target("avx512f,avx512dq,avx512vl")]] void with_avx512(const std::byte* values,
                                                              std::int64_t count,
                                                              Remainder remainder,
                                                              std::int32_t* out) noexcept {
  body<T>(values, count, remainder, out);
}

#endif

template <typename T>
void dispatch(const std::byte* values, std::int64_t count, Remainder remainder, Simd simd,
              std::int32_t* out) noexcept {
#if defined(__x86_64__)
  if (simd == Simd::avx512) {
    return with_avx512<T>(values, count, remainder, out);
  }
  if (simd == Simd::avx2) {
    return with_avx2<T>(values, count, remainder, out);
  }
#else
  (void)simd;
#endif
  with_none<T>(values, count, remainder, out);
}

}  // namespace

void bucket_integers(const std::byte* values, std::int64_t width, std::int64_t count,
                     Remainder remainder, Simd simd, std::int32_t* out) noexcept {
  if (width == 4) {
    dispatch<std::int32_t>(values, count, remainder, simd, out);
  } else {
    dispatch<std::int64_t>(values, count, remainder, simd, out);
  }
}

}  // namespace flowkit
