#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "flowkit/blocking.hpp"
#include "pair_source.hpp"

namespace flowkit {
namespace {

constexpr std::string_view what = "sorted_neighbourhood";

/// Rows in the order of their keys. Those of the right column are numbered on from the left's.
struct Order {
  std::vector<std::uint32_t> rows;
  std::uint32_t left_rows = 0;
  bool is_one = true;
  std::size_t window = 0;
};

class Neighbourhood : public PairSource {
 public:
  explicit Neighbourhood(Order order) noexcept : order_(std::move(order)) {}

  [[nodiscard]] std::unique_ptr<PairCursor> open() const override;
  [[nodiscard]] const Order& order() const noexcept { return order_; }

 private:
  Order order_;
};

class NeighbourCursor : public PairCursor {
 public:
  explicit NeighbourCursor(std::shared_ptr<const Neighbourhood> source) noexcept
      : source_(std::move(source)) {}

  std::size_t fill(std::int32_t* left, std::int32_t* right, std::size_t count) noexcept override {
    const Order& order = source_->order();
    std::size_t filled = 0;
    while (filled < count && place_ < order.rows.size()) {
      const std::size_t end = std::min(order.rows.size() - place_, order.window);
      // Each place behind makes a pair at most, so there is room for them.
      const std::size_t stop = std::min(end, behind_ + (count - filled));
      const std::uint32_t row = order.rows[place_];
      const std::uint32_t* others = order.rows.data() + place_;
      for (; behind_ < stop; ++behind_) {
        const std::uint32_t first = std::min(row, others[behind_]);
        const std::uint32_t second = std::max(row, others[behind_]);
        const bool is_pair = order.is_one || (first < order.left_rows && second >= order.left_rows);
        left[filled] = static_cast<std::int32_t>(first);
        right[filled] = static_cast<std::int32_t>(order.is_one ? second : second - order.left_rows);
        filled += static_cast<std::size_t>(is_pair);
      }
      if (behind_ == end) {
        ++place_;
        behind_ = 1;
      }
    }
    return filled;
  }

 private:
  std::shared_ptr<const Neighbourhood> source_;
  std::size_t place_ = 0;
  std::size_t behind_ = 1;
};

std::unique_ptr<PairCursor> Neighbourhood::open() const {
  return std::make_unique<NeighbourCursor>(
      std::static_pointer_cast<const Neighbourhood>(shared_from_this()));
}

/// A row, and the front of its key as a number that is ordered as the key is.
struct Place {
  std::uint64_t front;
  std::uint32_t row;
};

std::uint64_t front_of(std::string_view key) noexcept {
  std::array<unsigned char, 8> bytes{};
  std::memcpy(bytes.data(), key.data(), std::min(key.size(), bytes.size()));
  std::uint64_t front = 0;
  for (const unsigned char byte : bytes) {
    front = (front << 8U) | byte;
  }
  return front;
}

/// Sorts rows by the bytes of their keys.
std::vector<Place> sort_bytes(const BlockedColumns& columns) {
  std::vector<Place> places;
  std::vector<std::string_view> keys;
  for (const Column& column : columns.all()) {
    const std::size_t begin = keys.size();
    keys.resize(begin + static_cast<std::size_t>(column.length()));
    with_key_bytes(column.type(), what, [&](auto bytes_of) {
      for_valid_rows(column, 0, column.length(),
                     [&](const Chunk& chunk, std::int64_t at, std::size_t row) {
                       const std::string_view key = bytes_of(chunk, at);
                       keys[begin + row] = key;
                       places.push_back({front_of(key), static_cast<std::uint32_t>(begin + row)});
                     });
    });
  }
  std::sort(places.begin(), places.end(), [&](const Place& one, const Place& other) {
    if (one.front != other.front) {
      return one.front < other.front;
    }
    const int compared = keys[one.row].compare(keys[other.row]);
    return compared != 0 ? compared < 0 : one.row < other.row;
  });
  return places;
}

/// Sorts rows by keys that are numbers of type T.
template <typename T>
std::vector<Place> sort_numbers(const BlockedColumns& columns) {
  // The sign of a signed number is turned, so that negative ones come first.
  constexpr std::uint64_t turned = std::is_signed_v<T> ? std::uint64_t{1} << 63U : 0;
  std::vector<Place> places;
  std::size_t begin = 0;
  for (const Column& column : columns.all()) {
    for_valid_rows(column, 0, column.length(),
                   [&](const Chunk& chunk, std::int64_t at, std::size_t row) {
                     const auto number =
                         static_cast<std::uint64_t>(static_cast<std::int64_t>(chunk.value<T>(at)));
                     places.push_back({number ^ turned, static_cast<std::uint32_t>(begin + row)});
                   });
    begin += static_cast<std::size_t>(column.length());
  }
  std::sort(places.begin(), places.end(), [](const Place& one, const Place& other) {
    return one.front != other.front ? one.front < other.front : one.row < other.row;
  });
  return places;
}

std::vector<Place> sort_rows(const BlockedColumns& columns) {
  const Type& type = columns.left().type();
  std::vector<Place> places;
  switch (type.kind) {
    case Kind::fixed_binary:
    case Kind::utf8:
    case Kind::large_utf8:
    case Kind::utf8_view:
    case Kind::binary:
    case Kind::large_binary:
    case Kind::binary_view:
      return sort_bytes(columns);
    case Kind::date32:
    case Kind::time32:
      return sort_numbers<std::int32_t>(columns);
    case Kind::date64:
    case Kind::time64:
    case Kind::timestamp:
    case Kind::duration:
      return sort_numbers<std::int64_t>(columns);
    default:
      with_integer(type, what, [&]<typename T>(T) { places = sort_numbers<T>(columns); });
      return places;
  }
}

}  // namespace

Status sorted_neighbourhood(const Chunks& left, const Chunks* right, std::int64_t window,
                            std::int64_t batch_rows, PairBatches& out) noexcept {
  return guarded([&]() -> Status {
    require(window >= 2, "the window must be at least 2");
    const BlockedColumns columns(left, right, batch_rows);
    Order order;
    order.is_one = columns.is_one();
    order.left_rows = static_cast<std::uint32_t>(columns.left().length());
    order.window = static_cast<std::size_t>(window);
    for (const Place& place : sort_rows(columns)) {
      order.rows.push_back(place.row);
    }
    out = PairBatches(std::make_shared<const Neighbourhood>(std::move(order)), batch_rows);
    return {};
  });
}

}  // namespace flowkit
