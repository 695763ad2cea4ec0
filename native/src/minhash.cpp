#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "flowkit/blocking.hpp"
#include "groups.hpp"
#include "pair_source.hpp"
#include "parallel.hpp"
#include "signatures.hpp"

namespace flowkit {
namespace {

class Bands : public PairSource {
 public:
  Bands(std::vector<Groups> bands, std::size_t left_rows, std::size_t right_rows) noexcept
      : bands_(std::move(bands)), left_rows_(left_rows), right_rows_(right_rows) {}

  [[nodiscard]] std::unique_ptr<PairCursor> open() const override;
  [[nodiscard]] const std::vector<Groups>& bands() const noexcept { return bands_; }
  [[nodiscard]] std::size_t left_rows() const noexcept { return left_rows_; }
  [[nodiscard]] std::size_t right_rows() const noexcept { return right_rows_; }

 private:
  std::vector<Groups> bands_;
  std::size_t left_rows_;
  std::size_t right_rows_;
};

class BandCursor : public PairCursor {
 public:
  explicit BandCursor(std::shared_ptr<const Bands> source)
      : source_(std::move(source)), last_met_(source_->right_rows(), -1) {}

  std::size_t fill(std::int32_t* left, std::int32_t* right, std::size_t count) noexcept override {
    std::size_t filled = 0;
    while (filled < count && (!partners_.empty() || find_partners())) {
      const auto row = static_cast<std::int32_t>(row_);
      const auto taken = partners_.first(std::min(count - filled, partners_.size()));
      for (const std::int32_t partner : taken) {
        std::int32_t& last = last_met_[static_cast<std::size_t>(partner)];
        left[filled] = row;
        right[filled] = partner;
        filled += static_cast<std::size_t>(last != row);
        last = row;
      }
      partners_ = partners_.subspan(taken.size());
    }
    return filled;
  }

 private:
  /// Goes on to the next band, or row, that has some; returns false at the end.
  bool find_partners() noexcept {
    const std::vector<Groups>& bands = source_->bands();
    for (; row_ < source_->left_rows(); ++row_, next_band_ = 0) {
      while (next_band_ < bands.size()) {
        partners_ = bands[next_band_++].partners(row_);
        if (!partners_.empty()) {
          return true;
        }
      }
    }
    return false;
  }

  std::shared_ptr<const Bands> source_;
  std::vector<std::int32_t> last_met_;  // of each right row, the left row that met it last
  std::size_t row_ = 0;
  std::size_t next_band_ = 0;
  std::span<const std::int32_t> partners_;  // those left in the band before it
};

std::unique_ptr<PairCursor> Bands::open() const {
  return std::make_unique<BandCursor>(std::static_pointer_cast<const Bands>(shared_from_this()));
}

/// Numbers keys, which are well mixed: equal ones alike.
class KeyNumbers {
 public:
  explicit KeyNumbers(std::size_t keys) : slots_(std::bit_ceil(keys * 2 + 1)) {}

  std::uint32_t number(std::uint64_t key) noexcept {
    std::size_t at = key & (slots_.size() - 1);
    while (slots_[at].number != Groups::none && slots_[at].key != key) {
      at = (at + 1) & (slots_.size() - 1);
    }
    if (slots_[at].number == Groups::none) {
      slots_[at] = {key, count_++};
    }
    return slots_[at].number;
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t number = Groups::none;
  };

  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
};

std::vector<std::uint32_t> number_rows(const BandKeys& keys, std::size_t band,
                                       KeyNumbers& numbers) {
  std::vector<std::uint32_t> found(keys.rows(), Groups::none);
  const auto of_band = keys.of_band(band);
  for (std::size_t row = 0; row < found.size(); ++row) {
    if (keys.has(row)) {
      found[row] = numbers.number(of_band[row]);
    }
  }
  return found;
}

Groups group_band(const BandKeys& left, const BandKeys* right, std::size_t band) {
  KeyNumbers numbers(left.rows() + (right == nullptr ? 0 : right->rows()));
  std::vector<std::uint32_t> rows = number_rows(left, band, numbers);
  std::vector<std::uint32_t> others;
  if (right != nullptr) {
    others = number_rows(*right, band, numbers);
  }
  return {std::move(rows), right == nullptr ? nullptr : &others, numbers.count()};
}

}  // namespace

Status minhash_lsh(const Chunks& left, const Chunks* right, const MinHash& minhash,
                   std::int64_t batch_rows, int threads, PairBatches& out) noexcept {
  return guarded([&]() -> Status {
    const BlockedColumns columns(left, right, batch_rows);
    BandKeys keys;
    Status status = keys.sign(columns.left(), minhash, threads);
    BandKeys others;
    if (status.ok() && !columns.is_one()) {
      status = others.sign(columns.right(), minhash, threads);
    }
    if (!status.ok()) {
      return status;
    }
    const BandKeys* right_keys = columns.is_one() ? nullptr : &others;
    std::vector<std::optional<Groups>> found(static_cast<std::size_t>(minhash.bands));
    status = in_parallel(minhash.bands, 1, threads, [&](std::int64_t band, std::int64_t) {
      const auto at = static_cast<std::size_t>(band);
      found[at] = group_band(keys, right_keys, at);
    });
    if (!status.ok()) {
      return status;
    }
    std::vector<Groups> bands;
    for (auto& groups : found) {
      bands.push_back(*std::move(groups));
    }
    const std::size_t right_rows = (right_keys == nullptr ? keys : *right_keys).rows();
    out = PairBatches(std::make_shared<const Bands>(std::move(bands), keys.rows(), right_rows),
                      batch_rows);
    return {};
  });
}

}  // namespace flowkit
