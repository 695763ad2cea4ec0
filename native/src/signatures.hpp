#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "column.hpp"
#include "flowkit/blocking.hpp"
#include "simd.hpp"

namespace flowkit {

/// The keys of a column's strings in each band; see MinHash for how they are computed.
class BandKeys {
 public:
  /// Fails, with a Status or an InvalidData, if the column is no column of strings, a string is not
  /// UTF-8, or a number of `minhash` is out of range.
  Status sign(const Column& column, const MinHash& minhash, int threads);

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }

  /// Says whether a row has keys: it is neither null nor empty.
  [[nodiscard]] bool has(std::size_t row) const noexcept { return has_[row] != 0; }
  [[nodiscard]] std::span<const std::uint64_t> of_band(std::size_t band) const noexcept {
    return std::span(keys_).subspan(band * rows_, rows_);
  }

 private:
  std::size_t rows_ = 0;
  std::vector<std::uint8_t> has_;
  std::vector<std::uint64_t> keys_;  // band by band
};

/// Takes the minima of `hashes` in each of the orders that `seeds` (a multiple of 16) stand for.
void take_minima(std::span<const std::uint32_t> hashes, std::span<const std::uint32_t> seeds,
                 std::uint32_t* minima, Simd simd) noexcept;

}  // namespace flowkit
