#include "damerau.hpp"

#include <algorithm>
#include <cstdint>

#include "column.hpp"
#include "flowkit/similarity.hpp"
#include "guarded.hpp"
#include "text_pairs.hpp"

namespace flowkit {
namespace {

class DamerauEdits {
 public:
  DamerauEdits(const Texts& left, const Texts& right) noexcept : left_(left), right_(right) {}

  template <Simd>
  std::int32_t score(std::size_t left, std::size_t right) {
    return distance(left_[left], right_[right]);
  }

 protected:
  std::int32_t distance(const Text& left, const Text& right) {
    if (left.is_ascii && right.is_ascii) {
      return damerau_.distance(std::span(left.narrow(), static_cast<std::size_t>(left.size)),
                               std::span(right.narrow(), static_cast<std::size_t>(right.size)));
    }
    return damerau_.distance(widened_.left(left), widened_.right(right));
  }

  const Texts& left_;
  const Texts& right_;

 private:
  Widened widened_;
  Damerau damerau_;
};

class DamerauSimilarity : public DamerauEdits {
 public:
  using DamerauEdits::DamerauEdits;

  template <Simd>
  double score(std::size_t left, std::size_t right) {
    const Text& from = left_[left];
    const Text& with = right_[right];
    const std::int32_t longer = std::max(from.size, with.size);
    return longer == 0 ? 1.0 : 1.0 - static_cast<double>(distance(from, with)) / longer;
  }
};

}  // namespace

Status damerau_levenshtein(const Pairs& pairs, Distance distance, int threads,
                           Array& out) noexcept {
  return guarded([&]() -> Status {
    const Texts left(Column(pairs.left, "left"));
    const Texts right(Column(pairs.right, "right"));
    if (distance == Distance::edits) {
      return score_pairs<std::int32_t, DamerauEdits>(pairs, left, right, "i", threads, out);
    }
    return score_pairs<double, DamerauSimilarity>(pairs, left, right, "g", threads, out);
  });
}

}  // namespace flowkit
