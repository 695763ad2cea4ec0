#pragma once

#include <cstdint>

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

/// Pairs of rows of two columns of strings: pair p is row `left_index[p]` of `left` and row
/// `right_index[p]` of `right`.
///
/// Strings may be of any layout and must be UTF-8; indices are integers, none null. What is done
/// for each row (decoding, tokenising) is done once, however many pairs it is in.
struct Pairs {
  Chunks left;
  Chunks right;
  Chunks left_index;
  Chunks right_index;
};

// Similarities and distances, pair by pair, by code points: null if either string is. `threads` is
// at least 1. All return invalid_data for a malformed array, a type that is none of these, indices
// of different lengths, null or out of range, and then leave `out` alone.

/// Jaro's similarity: float64 in [0, 1]. Two empty strings are alike.
Status jaro(const Pairs& pairs, int threads, Array& out) noexcept;

/// Jaro's similarity with Winkler's bonus for a common prefix: of a tenth of what is missing, for
/// each of up to four code points, if the similarity is above 0.7.
Status jaro_winkler(const Pairs& pairs, int threads, Array& out) noexcept;

/// How a distance is given.
enum class Distance : std::uint8_t {
  edits,       ///< their number: int32
  similarity,  ///< 1 - edits / code points of the longer string: float64 in [0, 1]
};

/// Levenshtein's distance: insertions, deletions and substitutions.
Status levenshtein(const Pairs& pairs, Distance distance, int threads, Array& out) noexcept;

/// Damerau's and Levenshtein's distance: also transpositions of neighbours, between which others
/// may be put in or left out (not the restricted kind, "optimal string alignment").
Status damerau_levenshtein(const Pairs& pairs, Distance distance, int threads, Array& out) noexcept;

/// Jaccard's similarity of the sets of tokens, which are what lies between white space: how many
/// both have, divided by how many any has; float64 in [0, 1]. Two empty sets are alike.
Status token_set_jaccard(const Pairs& pairs, int threads, Array& out) noexcept;

/// The cosine of the angle between vectors that say how often each n-gram (`n` code points, 1 to
/// 64) is in a string: float64 in [0, 1]. A string that is shorter than n and not empty is its own
/// only n-gram. Two empty strings are alike.
Status ngram_cosine(const Pairs& pairs, std::int32_t n, int threads, Array& out) noexcept;

}  // namespace flowkit
