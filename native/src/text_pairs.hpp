#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "masks.hpp"
#include "pairs.hpp"
#include "texts.hpp"

namespace flowkit {

/// Texts longer than this have their masks in more than one word.
constexpr std::int32_t longest_short = 64;

/// Makes both texts of a pair wide, for those of which one is not ASCII or one is long.
class Widened {
 public:
  std::span<const char32_t> left(const Text& text) { return widen(text, left_); }
  std::span<const char32_t> right(const Text& text) { return widen(text, right_); }

 private:
  static std::span<const char32_t> widen(const Text& text, std::vector<char32_t>& memory) {
    const auto size = static_cast<std::size_t>(text.size);
    if (!text.is_ascii) {
      return {text.wide(), size};
    }
    const char* from = text.narrow();
    memory.resize(size);
    std::transform(from, from + size, memory.begin(),
                   [](char byte) { return static_cast<char32_t>(byte); });
    return memory;
  }

  std::vector<char32_t> left_;
  std::vector<char32_t> right_;
};

/// Calls `body(masks)` with the quickest masks, for the instructions given, of an ASCII text of 1
/// to 64 characters.
template <Simd simd, typename Body>
FLOWKIT_INLINE auto with_masks(const char* text, std::int32_t size, const Body& body) {
#if defined(__x86_64__)
  if constexpr (simd == Simd::avx2) {
    // Most texts fit, so the processor guesses right.
    return size <= 32 ? body(Compared32Masks<1>(text)) : body(Compared32Masks<2>(text));
  }
#endif
#if defined(__SSE2__)
  if (size <= 16) {
    return body(ComparedMasks<1>(text));
  }
  return size <= 32 ? body(ComparedMasks<2>(text)) : body(ComparedMasks<4>(text));
#else
  return body(TableMasks(text, size));
#endif
}

}  // namespace flowkit
