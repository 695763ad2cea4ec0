#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

/// What pairs are made from, and how far a reader has come; for the library only.
class PairSource;
class PairCursor;

/// Goes through pairs once, batch by batch: a batch is made when it is asked for.
class PairReader {
 public:
  PairReader(std::unique_ptr<PairCursor> cursor, std::int64_t batch_rows) noexcept;
  PairReader(PairReader&& other) noexcept;
  PairReader& operator=(PairReader&& other) noexcept;
  PairReader(const PairReader&) = delete;
  PairReader& operator=(const PairReader&) = delete;
  ~PairReader();

  /// Makes the next batch: int32 rows of the left column and of the right, as many of each. None
  /// of either means that all pairs have been read.
  Status next(Array& left_index, Array& right_index) noexcept;

 private:
  std::unique_ptr<PairCursor> cursor_;
  std::int64_t batch_rows_;
};

/// Pairs of rows that are worth comparing, made as they are read: immutable, cheap to copy, and
/// read any number of times. What it holds grows with the rows, not with the pairs.
class PairBatches {
 public:
  /// No pairs.
  PairBatches() noexcept = default;
  PairBatches(std::shared_ptr<const PairSource> source, std::int64_t batch_rows) noexcept
      : source_(std::move(source)), batch_rows_(batch_rows) {}

  /// Fills in `out` with a reader that starts at the first pair, and may outlive this object.
  Status read(std::unique_ptr<PairReader>& out) const noexcept;

  /// The same as a stream of structs of `left_index` and `right_index`, int32, which are not null.
  /// Whoever owns `out` releases it; it may outlive this object.
  Status export_stream(ArrowArrayStream* out) const noexcept;

 private:
  std::shared_ptr<const PairSource> source_;
  std::int64_t batch_rows_ = 1;
};

// Blocking: which pairs of rows to look at, out of all. With a `right` column, pairs are of a row
// of `left` and a row of `right`; without (a null pointer), they are of two rows of `left`, of
// which the first is the smaller. No pair comes twice, and none with a null. The order is fixed: it
// depends on the columns alone. A batch has `batch_rows` pairs (1 to 2^31 - 1), but for the last.
//
// All return invalid_data for a malformed array, for columns whose types do not go together or that
// have over 2^31 - 1 rows in all, and for a number out of range, and then leave `out` alone. The
// columns are not needed afterwards.

/// Pairs of rows with equal keys, rising by the left row, then by the right.
///
/// Keys are strings, binary, or values of a fixed size but floats and booleans. The two columns are
/// of the same type, but for the layout of strings or binary.
Status key_blocks(const Chunks& left, const Chunks* right, std::int64_t batch_rows,
                  PairBatches& out) noexcept;

/// Pairs of rows that are fewer than `window` (at least 2) places apart once all rows are sorted by
/// their keys; where keys are equal, by column and row. They come in that order: by the place of
/// the first of the two, then by that of the second.
///
/// Strings are sorted by their bytes (thus by code points), numbers, dates and times by their
/// value.
Status sorted_neighbourhood(const Chunks& left, const Chunks* right, std::int64_t window,
                            std::int64_t batch_rows, PairBatches& out) noexcept;

/// How strings are made into signatures.
///
/// A string is the set of its n-grams, by code points; one that is shorter than n and not empty is
/// its own only n-gram. With arithmetic modulo 2^64, `g = 0x9e3779b97f4a7c15` and
/// `add(h, x) = let k = (h + x + 1) * g in k ^ (k >> 32)`:
///
/// - The hash of an n-gram is the low 32 bits of `add` over its code points, from 0 on.
/// - Minimum m (of `bands * rows`) is the least of `fmix32(hash ^ s)` over the n-grams, where
/// fmix32
///   is MurmurHash3's and s is the low 32 bits of output m of SplitMix64 seeded with `seed`.
/// - Strings meet in a band if `add` over its `rows` minima, from 0 on, gives them the same 64
/// bits.
///
/// So a pair with Jaccard similarity j is found with a probability of about 1 - (1 - j^rows)^bands.
struct MinHash {
  std::int32_t ngram = 3;   ///< 1 to 64
  std::int32_t bands = 20;  ///< 1 to 1024
  std::int32_t rows = 5;    ///< 1 to 1024; `bands * rows` is at most 4096
  std::uint64_t seed = 0;
};

/// Pairs of strings that meet in at least one band, by locality-sensitive hashing (Broder, "On the
/// resemblance and containment of documents", 1997; Indyk and Motwani, 1998). They rise by the left
/// row, then by the first band in which they meet, then by the right row. An empty string meets
/// none.
Status minhash_lsh(const Chunks& left, const Chunks* right, const MinHash& minhash,
                   std::int64_t batch_rows, int threads, PairBatches& out) noexcept;

}  // namespace flowkit
