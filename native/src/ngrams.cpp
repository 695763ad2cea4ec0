#include "ngrams.hpp"

#include <algorithm>

#include "utf8.hpp"

namespace flowkit {

NgramCounts::NgramCounts(const Column& column, std::size_t n, Vocabulary& vocabulary)
    : has_nulls_(column.null_count() != 0) {
  constexpr std::string_view what = "a similarity of strings";
  if (!column.type().is_text()) {
    refuse_type(column.type(), what);
  }
  rows_.reserve(static_cast<std::size_t>(column.length()) + 1);
  with_bytes(column.type(), what, [&](auto bytes_of) {
    column.for_parts(0, column.length(),
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t) {
                       for (; at < end; ++at) {
                         rows_.push_back({counts_.size(), chunk.is_null(at) ? -1.0 : 0.0});
                         if (!chunk.is_null(at)) {
                           add(bytes_of(chunk, at), n, vocabulary);
                         }
                       }
                     });
  });
  rows_.push_back({counts_.size(), 0.0});
}

void NgramCounts::add(std::string_view text, std::size_t n, Vocabulary& vocabulary) {
  require(is_utf8(text), "a string is not UTF-8");
  starts_.clear();
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U) {
      starts_.push_back(at);
    }
  }
  const std::size_t size = std::min(n, starts_.size());
  starts_.push_back(text.size());
  numbers_.clear();
  for (std::size_t at = 0; size != 0 && at + size < starts_.size(); ++at) {
    const std::size_t begin = starts_[at];
    numbers_.push_back(vocabulary.number(text.substr(begin, starts_[at + size] - begin)));
  }
  std::sort(numbers_.begin(), numbers_.end());
  double squares = 0.0;
  for (auto at = numbers_.begin(); at != numbers_.end();) {
    const auto end = std::upper_bound(at, numbers_.end(), *at);
    const auto count = static_cast<std::uint32_t>(end - at);
    counts_.push_back({*at, count});
    squares += static_cast<double>(count) * count;
    at = end;
  }
  rows_.back().squares = squares;
}

}  // namespace flowkit
