#include "groups.hpp"

#include <algorithm>
#include <utility>

namespace flowkit {

Groups::Groups(std::vector<std::uint32_t> left, const std::vector<std::uint32_t>* right,
               std::uint32_t count)
    : is_one_(right == nullptr), groups_(std::move(left)) {
  // The numbers of the groups that are kept, and where each has its next member.
  std::vector<std::uint32_t> kept(count, 0);
  const std::vector<std::uint32_t>& rows = is_one_ ? groups_ : *right;
  for (const std::uint32_t group : rows) {
    if (group != none) {
      ++kept[group];
    }
  }
  std::vector<std::uint8_t> on_left(is_one_ ? 0 : count, std::uint8_t{0});
  for (std::size_t row = 0; !is_one_ && row < groups_.size(); ++row) {
    if (groups_[row] != none) {
      on_left[groups_[row]] = 1;
    }
  }
  std::uint32_t total = 0;
  for (std::size_t group = 0; group < count; ++group) {
    const std::uint32_t size = kept[group];
    if (is_one_ ? size < 2 : size == 0 || on_left[group] == 0) {
      kept[group] = none;
      continue;
    }
    kept[group] = static_cast<std::uint32_t>(offsets_.size());
    offsets_.push_back(total);
    total += size;
  }
  members_.resize(total);
  std::vector<std::uint32_t> places(offsets_);
  offsets_.push_back(total);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::uint32_t group = rows[row] == none ? none : kept[rows[row]];
    if (group != none) {
      members_[places[group]++] = static_cast<std::int32_t>(row);
    }
  }
  for (std::uint32_t& group : groups_) {
    group = group == none ? none : kept[group];
  }
}

std::span<const std::int32_t> Groups::partners(std::size_t row) const noexcept {
  const std::uint32_t group = groups_[row];
  if (group == none) {
    return {};
  }
  const std::int32_t* begin = members_.data() + offsets_[group];
  const std::int32_t* end = members_.data() + offsets_[group + 1];
  if (is_one_) {
    begin = std::upper_bound(begin, end, static_cast<std::int32_t>(row));
  }
  return {begin, end};
}

}  // namespace flowkit
