// With any instructions, and word by word as in one word, the kernels say the same.

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "check.hpp"
#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "jaro.hpp"
#include "jaro_lanes.hpp"
#include "levenshtein.hpp"
#include "levenshtein_lanes.hpp"
#include "masks.hpp"
#include "simd.hpp"
#include "text_pairs.hpp"
#include "texts.hpp"

using flowkit::Array;
using flowkit::Simd;

namespace {

constexpr std::int32_t readable = 64;

/// A text with bytes behind it that must not matter.
struct Sample {
  std::string bytes;
  std::int32_t size;
  std::vector<char32_t> wide;
};

std::vector<Sample> samples() {
  std::mt19937 random(1);
  std::vector<Sample> made;
  for (std::int32_t size = 1; size <= 64; ++size) {
    Sample sample{std::string(static_cast<std::size_t>(size + readable), ' '), size, {}};
    const std::string_view letters = size % 3 == 0 ? "ab" : "abcdefgh\x01\x7f";
    for (char& byte : sample.bytes) {
      byte = letters[random() % letters.size()];
    }
    for (const char byte : sample.bytes.substr(0, static_cast<std::size_t>(size))) {
      sample.wide.push_back(static_cast<char32_t>(byte));
    }
    made.push_back(sample);
  }
  return made;
}

void masks_of_every_kind_are_alike() {
  for (const Sample& sample : samples()) {
    const char* text = sample.bytes.data();
    const std::uint64_t rows = ~std::uint64_t{0} >> (64 - sample.size);
    const flowkit::TableMasks expected(text, sample.size);
    const flowkit::WideMasks wide(sample.wide.data(), sample.size);
    flowkit::LongMasks words;
    words.set(sample.wide);
    for (const char letter : std::string_view("abcdefghxyz\x01\x7f")) {
      const std::uint64_t mask = expected.of(letter);
      const auto point = static_cast<char32_t>(letter);
      CHECK((wide.of(point) & rows) == mask);
      CHECK((words.of(point) == nullptr ? 0 : *words.of(point)) == mask);
#if defined(__SSE2__)
      CHECK((flowkit::ComparedMasks<4>(text).of(letter) & rows) == mask);
      CHECK(sample.size > 32 || (flowkit::ComparedMasks<2>(text).of(letter) & rows) == mask);
      CHECK(sample.size > 16 || (flowkit::ComparedMasks<1>(text).of(letter) & rows) == mask);
#endif
#if defined(__x86_64__)
      if (flowkit::best_simd() >= Simd::avx2) {
        CHECK((flowkit::Compared32Masks<2>(text).of(letter) & rows) == mask);
        CHECK(sample.size > 32 || (flowkit::Compared32Masks<1>(text).of(letter) & rows) == mask);
      }
#endif
    }
  }
}

#if defined(__x86_64__)
FLOWKIT_AVX2 double jaro_avx2(const Sample& left, const Sample& right) {
  return flowkit::jaro_short<Simd::avx2>(flowkit::TableMasks(left.bytes.data(), left.size),
                                         left.bytes.data(), left.size, right.bytes.data(),
                                         right.size);
}
#endif

void similarities_are_alike_in_words_and_vectors() {
  flowkit::JaroScratch jaro_scratch;
  flowkit::LevenshteinScratch edit_scratch;
  const std::vector<Sample> made = samples();
  for (const Sample& left : made) {
    const flowkit::TableMasks masks(left.bytes.data(), left.size);
    for (const Sample& right : made) {
      const double jaro = flowkit::jaro_short<Simd::none>(masks, left.bytes.data(), left.size,
                                                          right.bytes.data(), right.size);
      CHECK(jaro == flowkit::jaro_long(left.wide, right.wide, jaro_scratch));
#if defined(__x86_64__)
      CHECK(flowkit::best_simd() < Simd::avx2 || jaro == jaro_avx2(left, right));
#endif
      const std::int32_t edits =
          flowkit::levenshtein_short(masks, left.size, right.bytes.data(), right.size);
      CHECK(edits == flowkit::levenshtein_long(left.wide, right.wide, edit_scratch));
      CHECK(edits == flowkit::levenshtein_long(right.wide, left.wide, edit_scratch));
    }
  }
}

// Of two texts that start and end with the only letter that they share, too far apart to match: a
// window that turns must not come back on what it left.
void what_is_too_far_apart_does_not_match() {
  for (std::int32_t size = 3; size <= 64; ++size) {
    Sample left{std::string(static_cast<std::size_t>(size + readable), 'x'), size, {}};
    Sample right{std::string(static_cast<std::size_t>(size + readable), 'y'), size, {}};
    left.bytes[static_cast<std::size_t>(size - 1)] = 'a';
    right.bytes[0] = 'a';
    for (const auto& [from, with] : {std::pair(&left, &right), std::pair(&right, &left)}) {
      const flowkit::TableMasks masks(from->bytes.data(), size);
      CHECK(flowkit::jaro_short<Simd::none>(masks, from->bytes.data(), size, with->bytes.data(),
                                            size) == 0.0);
#if defined(__x86_64__)
      CHECK(flowkit::best_simd() < Simd::avx2 || jaro_avx2(*from, *with) == 0.0);
#endif
    }
  }
}

#if defined(__x86_64__)

/// Compares sixteen pairs at once, and each alone, word by word.
FLOWKIT_AVX512 void check_lanes(const flowkit::Texts& texts, const std::uint32_t* left,
                                const std::uint32_t* right) {
  flowkit::LanePairs in_order;
  in_order.set<true>(texts, left, texts, right);
  flowkit::LanePairs by_length;
  by_length.set<false>(texts, left, texts, right);
  std::array<double, flowkit::LanePairs::count> similarities{};
  std::array<std::int32_t, flowkit::LanePairs::count> edits{};
  std::array<std::int32_t, flowkit::LanePairs::count> prefixes{};
  flowkit::jaro_lanes(in_order, similarities.data());
  flowkit::levenshtein_lanes(by_length, edits.data());
  _mm512_storeu_si512(prefixes.data(), in_order.prefixes());
  CHECK(in_order.left_out() == by_length.left_out());
  flowkit::JaroScratch jaro_scratch;
  flowkit::LevenshteinScratch edit_scratch;
  for (std::size_t lane = 0; lane < flowkit::LanePairs::count; ++lane) {
    flowkit::Widened widened;
    const auto from = widened.left(texts[left[lane]]);
    const auto with = widened.right(texts[right[lane]]);
    const bool fits = !from.empty() && !with.empty() && std::max(from.size(), with.size()) <= 32;
    CHECK(((in_order.left_out() >> lane) & 1U) == (fits ? 0U : 1U));
    if (fits) {
      CHECK(similarities[lane] == flowkit::jaro_long(from, with, jaro_scratch));
      CHECK(edits[lane] == flowkit::levenshtein_long(from, with, edit_scratch));
      const auto most = std::min<std::size_t>({from.size(), with.size(), 4});
      const auto alike = std::mismatch(
          from.begin(), from.begin() + static_cast<std::ptrdiff_t>(most), with.begin());
      CHECK(prefixes[lane] == alike.first - from.begin());
    }
  }
}

#endif

void similarities_are_alike_in_lanes() {
#if defined(__x86_64__)
  if (flowkit::best_simd() < Simd::avx512) {
    return;
  }
  // Each sample as it is, and with a letter that is not ASCII.
  std::string text;
  std::vector<std::int32_t> offsets{0, 0};
  for (const Sample& sample : samples()) {
    for (const std::string_view a : {"a", "\xc3\xa4"}) {
      for (const char letter : sample.bytes.substr(0, static_cast<std::size_t>(sample.size))) {
        text += letter == 'a' ? a : std::string_view(&letter, 1);
      }
      offsets.push_back(static_cast<std::int32_t>(text.size()));
    }
  }
  const auto rows = std::ssize(offsets) - 1;
  const Given words("u", rows, {nullptr, offsets.data(), text.data()});
  const flowkit::Texts texts(flowkit::Column(words.chunks(), "words"));
  std::mt19937 random(2);
  for (int block = 0; block < 4000; ++block) {
    std::array<std::uint32_t, flowkit::LanePairs::count> left{};
    std::array<std::uint32_t, flowkit::LanePairs::count> right{};
    for (auto* side : {&left, &right}) {
      std::ranges::generate(*side, [&] { return random() % static_cast<std::uint32_t>(rows); });
    }
    check_lanes(texts, left.data(), right.data());
  }
#endif
}

void pairs_are_scored() {
  constexpr std::array<std::int32_t, 3> offsets{0, 6, 13};
  constexpr std::string_view text = "kittensitting";
  constexpr std::array<std::int64_t, 2> first{0, 0};
  constexpr std::array<std::int64_t, 2> second{1, 0};
  const Given words("u", 2, {nullptr, offsets.data(), text.data()});
  const Given left("l", 2, {nullptr, first.data()});
  const Given right("l", 2, {nullptr, second.data()});
  const flowkit::Pairs pairs{words.chunks(), words.chunks(), left.chunks(), right.chunks()};
  Array out;
  CHECK(flowkit::levenshtein(pairs, flowkit::Distance::edits, 1, out).ok());
  CHECK(numbers<std::int32_t>(out) == (std::vector<std::int32_t>{3, 0}));
  CHECK(flowkit::jaro_winkler(pairs, 2, out).ok());
  CHECK(numbers<double>(out)[1] == 1.0);
  CHECK(flowkit::ngram_cosine(pairs, 2, 1, out).ok());
  CHECK(numbers<double>(out)[1] == 1.0);
  CHECK(!flowkit::ngram_cosine(pairs, 0, 1, out).ok());
  CHECK(!flowkit::jaro({words.chunks(), {}, left.chunks(), right.chunks()}, 1, out).ok());
}

}  // namespace

int main() {
  masks_of_every_kind_are_alike();
  similarities_are_alike_in_words_and_vectors();
  what_is_too_far_apart_does_not_match();
  similarities_are_alike_in_lanes();
  pairs_are_scored();
}
