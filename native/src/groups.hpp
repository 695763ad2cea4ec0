#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace flowkit {

/// Rows of one column, and for each those of the other in the same group; of one column alone,
/// those behind it. Groups that make no pair are dropped.
class Groups {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  /// The numbers of groups, row by row, are below `count`, or `none`. Without `right`, pairs are of
  /// two rows of `left`.
  Groups(std::vector<std::uint32_t> left, const std::vector<std::uint32_t>* right,
         std::uint32_t count);

  [[nodiscard]] std::size_t size() const noexcept { return groups_.size(); }

  /// The rows that make a pair with row `row` of the left column, rising.
  [[nodiscard]] std::span<const std::int32_t> partners(std::size_t row) const noexcept;

 private:
  bool is_one_;
  std::vector<std::uint32_t> groups_;   // of each left row
  std::vector<std::uint32_t> offsets_;  // of each group, in members_
  std::vector<std::int32_t> members_;
};

}  // namespace flowkit
