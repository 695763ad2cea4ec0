#include "signatures.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "buffer.hpp"
#include "guarded.hpp"
#include "pair_source.hpp"
#include "parallel.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t piece_rows = 1024;
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;
constexpr std::size_t lanes = 16;  // minima that are taken at once

std::uint64_t add(std::uint64_t hash, std::uint64_t number) noexcept {
  hash = (hash + number + 1) * golden;
  return hash ^ (hash >> 32U);
}

/// Output number `at` of SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number
/// Generators", 2014).
std::uint64_t split_mix(std::uint64_t seed, std::uint64_t at) noexcept {
  std::uint64_t state = seed + (at + 1) * golden;
  state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9U;
  state = (state ^ (state >> 27U)) * 0x94d049bb133111ebU;
  return state ^ (state >> 31U);
}

/// Numbers that are worked on together, by whatever vector instructions there are.
using Lanes = std::uint32_t __attribute__((vector_size(sizeof(std::uint32_t) * lanes)));

FLOWKIT_INLINE void take_minima_of(std::span<const std::uint32_t> hashes,
                                   std::span<const std::uint32_t> seeds,
                                   std::uint32_t* minima) noexcept {
  for (std::size_t at = 0; at < seeds.size(); at += lanes) {
    Lanes seed;
    std::memcpy(&seed, seeds.data() + at, sizeof(seed));
    Lanes least = seed ^ seed;
    least = ~least;
    for (const std::uint32_t hash : hashes) {
      Lanes mixed = seed ^ hash;
      mixed = (mixed ^ (mixed >> 16U)) * 0x85ebca6bU;
      mixed = (mixed ^ (mixed >> 13U)) * 0xc2b2ae35U;
      mixed ^= mixed >> 16U;
      least = mixed < least ? mixed : least;
    }
    std::memcpy(minima + at, &least, sizeof(least));
  }
}

#if defined(__x86_64__)
FLOWKIT_AVX2 void take_minima_avx2(std::span<const std::uint32_t> hashes,
                                   std::span<const std::uint32_t> seeds,
                                   std::uint32_t* minima) noexcept {
  take_minima_of(hashes, seeds, minima);
}
FLOWKIT_AVX512 void take_minima_avx512(std::span<const std::uint32_t> hashes,
                                       std::span<const std::uint32_t> seeds,
                                       std::uint32_t* minima) noexcept {
  take_minima_of(hashes, seeds, minima);
}
#endif

/// Makes the keys of one string after the other; its memory is kept.
class Signer {
 public:
  explicit Signer(const MinHash& minhash)
      : ngram_(static_cast<std::size_t>(minhash.ngram)),
        rows_(static_cast<std::size_t>(minhash.rows)),
        bands_(static_cast<std::size_t>(minhash.bands)) {
    const std::size_t count = (bands_ * rows_ + lanes - 1) / lanes * lanes;
    for (std::size_t at = 0; at < count; ++at) {
      seeds_.push_back(static_cast<std::uint32_t>(split_mix(minhash.seed, at)));
    }
    minima_.resize(count);
  }

  /// Writes the keys of a string, `stride` apart; returns false if it has none.
  bool sign(std::string_view text, std::uint64_t* keys, std::size_t stride) {
    points_.clear();
    while (!text.empty()) {
      points_.push_back(next_code_point(text));
      require(points_.back() <= 0x10ffff, "a string is not UTF-8");
    }
    if (points_.empty()) {
      return false;
    }
    const std::size_t size = std::min(ngram_, points_.size());
    hashes_.clear();
    for (std::size_t begin = 0; begin + size <= points_.size(); ++begin) {
      std::uint64_t hash = 0;
      for (std::size_t at = begin; at < begin + size; ++at) {
        hash = add(hash, points_[at]);
      }
      hashes_.push_back(static_cast<std::uint32_t>(hash));
    }
    take_minima(hashes_, seeds_, minima_.data(), simd_);
    const std::uint32_t* minimum = minima_.data();
    for (std::size_t band = 0; band < bands_; ++band) {
      std::uint64_t key = 0;
      for (std::size_t row = 0; row < rows_; ++row) {
        key = add(key, *minimum++);
      }
      keys[band * stride] = key;
    }
    return true;
  }

 private:
  std::size_t ngram_;
  std::size_t rows_;
  std::size_t bands_;
  Simd simd_ = best_simd();
  std::vector<std::uint32_t> seeds_;
  std::vector<std::uint32_t> minima_;
  std::vector<char32_t> points_;
  std::vector<std::uint32_t> hashes_;
};

void check(const MinHash& minhash) {
  require(minhash.ngram >= 1 && minhash.ngram <= 64, "ngram must be between 1 and 64");
  require(minhash.bands >= 1 && minhash.bands <= 1024, "bands must be between 1 and 1024");
  require(minhash.rows >= 1 && minhash.rows <= 1024, "rows must be between 1 and 1024");
  require(minhash.bands * minhash.rows <= 4096, "bands times rows must be at most 4096");
}

}  // namespace

void take_minima(std::span<const std::uint32_t> hashes, std::span<const std::uint32_t> seeds,
                 std::uint32_t* minima, Simd simd) noexcept {
#if defined(__x86_64__)
  if (simd == Simd::avx512) {
    return take_minima_avx512(hashes, seeds, minima);
  }
  if (simd == Simd::avx2) {
    return take_minima_avx2(hashes, seeds, minima);
  }
#else
  (void)simd;
#endif
  take_minima_of(hashes, seeds, minima);
}

Status BandKeys::sign(const Column& column, const MinHash& minhash, int threads) {
  constexpr std::string_view what = "minhash_lsh";
  if (!column.type().is_text()) {
    refuse_type(column.type(), what);
  }
  check(minhash);
  rows_ = static_cast<std::size_t>(column.length());
  has_.assign(rows_, 0);
  keys_.resize(rows_ * static_cast<std::size_t>(minhash.bands));
  const auto sign_rows = [&](std::int64_t begin, std::int64_t end) {
    Signer signer(minhash);
    with_bytes(column.type(), what, [&](auto bytes_of) {
      for_valid_rows(column, begin, end, [&](const Chunk& chunk, std::int64_t at, std::size_t row) {
        has_[row] =
            static_cast<std::uint8_t>(signer.sign(bytes_of(chunk, at), keys_.data() + row, rows_));
      });
    });
  };
  return in_parallel(column.length(), piece_rows, threads, sign_rows);
}

}  // namespace flowkit
