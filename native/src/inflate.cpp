#include "inflate.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "guarded.hpp"

namespace flowkit {
namespace {

constexpr std::string_view malformed = "a deflated block is malformed";
constexpr unsigned longest_code = 15;
constexpr std::size_t longest_match = 258;
constexpr std::size_t slack = 8;  // a match is copied in words, and may write beyond its end

/// Reads bits, lowest first. Past the end there are zeros, and `check` says so.
class Bits {
 public:
  explicit Bits(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  /// Makes at least 48 bits available, without a branch as long as there are eight bytes.
  void refill() noexcept {
    if (at_ + 8 <= bytes_.size()) {
      bits_ |= load<std::uint64_t>(bytes_.data() + at_) << count_;
      at_ += (63U - count_) / 8U;
      count_ |= 56U;
      return;
    }
    while (count_ <= 56U) {
      if (at_ < bytes_.size()) {
        bits_ |= std::to_integer<std::uint64_t>(bytes_[at_]) << count_;
      } else {
        ++missing_;
      }
      ++at_;
      count_ += 8;
    }
  }

  [[nodiscard]] std::uint64_t peek() const noexcept { return bits_; }
  void drop(unsigned count) noexcept {
    bits_ >>= count;
    count_ -= count;
  }
  unsigned take(unsigned count) noexcept {
    const auto taken = static_cast<unsigned>(bits_ & ((std::uint64_t{1} << count) - 1));
    drop(count);
    return taken;
  }

  /// Throws if bits were taken that are not there.
  void check() const { require(missing_ * 8 <= count_, "a deflated block ends early"); }

  /// Drops what is left of a byte, and returns the bytes from there on.
  std::span<const std::byte> aligned() {
    check();
    const std::size_t unread = count_ / 8 - missing_;
    return bytes_.subspan(std::min(at_ - missing_, bytes_.size()) - unread);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;
  unsigned missing_ = 0;
};

/// A canonical Huffman code of up to `most_symbols`: codes of up to `table_bits` bits are looked
/// up, the rare longer ones read bit by bit. The table is small, as building it is most of the work
/// for the small blocks that some writers make, one for each record.
template <std::size_t most_symbols, unsigned table_bits>
class Code {
 public:
  /// Throws unless the lengths make a code that is complete, or has at most one symbol.
  void build(std::span<const std::uint8_t> lengths) {
    counts_.fill(0);
    for (const auto length : lengths) {
      ++counts_[length];
    }
    int left = 1;
    std::array<std::uint16_t, longest_code + 2> starts{};
    for (unsigned length = 1; length <= longest_code; ++length) {
      left = 2 * left - counts_[length];
      require(left >= 0, malformed);
      starts[length + 1] = static_cast<std::uint16_t>(starts[length] + counts_[length]);
    }
    require(left == 0 || counts_[0] + counts_[1] == static_cast<int>(lengths.size()), malformed);
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      if (lengths[symbol] != 0) {
        symbols_[starts[lengths[symbol]]++] = static_cast<std::uint16_t>(symbol);
      }
    }
    fill_table();
  }

  /// Reads a symbol, of up to 15 bits, that are available.
  unsigned read(Bits& bits) const {
    const Short found = table_[bits.peek() % table_.size()];
    if (found.length != 0) [[likely]] {
      bits.drop(found.length);
      return found.symbol;
    }
    return read_long(bits);
  }

 private:
  struct Short {
    std::uint16_t symbol;
    std::uint16_t length;
  };

  void fill_table() noexcept {
    table_.fill({});
    std::size_t reversed = 0;  // the code, which starts with its highest bit, read lowest bit first
    std::size_t index = 0;
    for (unsigned length = 1; length <= table_bits; ++length) {
      const std::size_t size = std::size_t{1} << length;
      for (int each = 0; each < counts_[length]; ++each, ++index) {
        for (std::size_t place = reversed; place < table_.size(); place += size) {
          table_[place] = {symbols_[index], static_cast<std::uint16_t>(length)};
        }
        // Add one at the other end.
        std::size_t bit = size >> 1U;
        while ((reversed & bit) != 0) {
          reversed ^= bit;
          bit >>= 1U;
        }
        reversed |= bit;
      }
    }
  }

  unsigned read_long(Bits& bits) const {
    int code = 0;
    int first = 0;
    int index = 0;
    for (unsigned length = 1; length <= longest_code; ++length) {
      code |= static_cast<int>(bits.take(1));
      const int count = counts_[length];
      if (code - count < first) {
        return symbols_[static_cast<std::size_t>(index + code - first)];
      }
      index += count;
      first = (first + count) * 2;
      code *= 2;
    }
    throw InvalidData(std::string(malformed));
  }

  std::array<int, longest_code + 1> counts_{};
  std::array<std::uint16_t, most_symbols> symbols_{};
  std::array<Short, std::size_t{1} << table_bits> table_{};
};

using SymbolCode = Code<288, 9>;
using DistanceCode = Code<32, 7>;

struct Codes {
  SymbolCode symbols;
  DistanceCode distances;
};

Codes make_fixed_codes() {
  std::array<std::uint8_t, 288> sizes{};
  std::fill(sizes.begin(), sizes.begin() + 144, std::uint8_t{8});
  std::fill(sizes.begin() + 144, sizes.begin() + 256, std::uint8_t{9});
  std::fill(sizes.begin() + 256, sizes.begin() + 280, std::uint8_t{7});
  std::fill(sizes.begin() + 280, sizes.end(), std::uint8_t{8});
  Codes codes;
  codes.symbols.build(sizes);
  sizes.fill(5);
  codes.distances.build(std::span(sizes).first(32));
  return codes;
}

const Codes& fixed_codes() {
  static const Codes codes = make_fixed_codes();
  return codes;
}

/// A length or distance: this much and the number in that many more bits.
struct Step {
  std::uint16_t base;
  std::uint8_t bits;
};

constexpr std::array<Step, 29> lengths{
    {{3, 0},  {4, 0},  {5, 0},  {6, 0},   {7, 0},   {8, 0},   {9, 0},   {10, 0},  {11, 1}, {13, 1},
     {15, 1}, {17, 1}, {19, 2}, {23, 2},  {27, 2},  {31, 2},  {35, 3},  {43, 3},  {51, 3}, {59, 3},
     {67, 4}, {83, 4}, {99, 4}, {115, 4}, {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0}}};
constexpr std::array<Step, 30> distances{
    {{1, 0},     {2, 0},     {3, 0},     {4, 0},      {5, 1},      {7, 1},
     {9, 2},     {13, 2},    {17, 3},    {25, 3},     {33, 4},     {49, 4},
     {65, 5},    {97, 5},    {129, 6},   {193, 6},    {257, 7},    {385, 7},
     {513, 8},   {769, 8},   {1025, 9},  {1537, 9},   {2049, 10},  {3073, 10},
     {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13}}};

class Inflater {
 public:
  Inflater(std::span<const std::byte> packed, std::size_t most, Values<std::byte>& out)
      : bits_(packed), most_(most), out_(out) {}

  std::size_t run() {
    bool last = false;
    while (!last) {
      bits_.refill();
      last = bits_.take(1) != 0;
      switch (bits_.take(2)) {
        case 0:
          copy_stored();
          break;
        case 1:
          read_symbols(fixed_codes());
          break;
        case 2:
          read_codes();
          read_symbols(codes_);
          break;
        default:
          throw InvalidData(std::string(malformed));
      }
      bits_.check();
    }
    return size_;
  }

 private:
  void make_room(std::size_t count) {
    if (out_.size() - size_ < count) {
      out_.resize(std::max({out_.size() * 2, size_ + count, std::size_t{1} << 12U}));
    }
  }

  void grow(std::size_t count) {
    require(count <= most_ - size_, "a deflated block unpacks to more than is allowed");
    size_ += count;
  }

  void copy_stored() {
    const auto rest = bits_.aligned();
    require(rest.size() >= 4, "a deflated block ends early");
    const std::size_t size = load<std::uint16_t>(rest.data());
    require((size ^ load<std::uint16_t>(rest.data() + 2)) == 0xffffU, malformed);
    require(rest.size() - 4 >= size, "a deflated block ends early");
    make_room(size);
    const std::size_t at = size_;
    grow(size);
    if (size != 0) {
      std::memcpy(&out_[at], rest.data() + 4, size);
    }
    bits_ = Bits(rest.subspan(4 + size));
  }

  void read_codes() {
    constexpr std::array<std::uint8_t, 19> order{16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                 11, 4,  12, 3, 13, 2, 14, 1, 15};
    const std::size_t symbol_count = 257 + bits_.take(5);
    const std::size_t distance_count = 1 + bits_.take(5);
    const std::size_t order_count = 4 + bits_.take(4);
    require(symbol_count <= 286 && distance_count <= 30, malformed);
    std::array<std::uint8_t, 320> sizes{};
    for (std::size_t at = 0; at < order_count; ++at) {
      bits_.refill();
      sizes[order[at]] = static_cast<std::uint8_t>(bits_.take(3));
    }
    lengths_code_.build(std::span(sizes).first(19));
    sizes.fill(0);
    for (std::size_t at = 0; at < symbol_count + distance_count;) {
      bits_.refill();
      bits_.check();
      const unsigned symbol = lengths_code_.read(bits_);
      if (symbol < 16) {
        sizes[at++] = static_cast<std::uint8_t>(symbol);
        continue;
      }
      require(symbol != 16 || at != 0, malformed);
      const std::uint8_t repeated = symbol == 16 ? sizes[at - 1] : std::uint8_t{0};
      const std::size_t count = symbol == 16   ? 3 + bits_.take(2)
                                : symbol == 17 ? 3 + bits_.take(3)
                                               : 11 + bits_.take(7);
      require(at + count <= symbol_count + distance_count, malformed);
      std::fill_n(sizes.begin() + static_cast<std::ptrdiff_t>(at), count, repeated);
      at += count;
    }
    require(sizes[256] != 0, malformed);
    codes_.distances.build(std::span(sizes).subspan(symbol_count, distance_count));
    codes_.symbols.build(std::span(sizes).first(symbol_count));
  }

  void read_symbols(const Codes& codes) {
    while (true) {
      make_room(longest_match + slack);
      bits_.refill();
      bits_.check();
      const unsigned symbol = codes.symbols.read(bits_);
      if (symbol < 256) {
        out_[size_] = static_cast<std::byte>(symbol);
        grow(1);
      } else if (symbol == 256) {
        return;
      } else {
        copy_match(symbol - 257, codes.distances);
      }
    }
  }

  void copy_match(std::size_t length_symbol, const DistanceCode& code) {
    require(length_symbol < lengths.size(), malformed);
    const Step length_step = lengths[length_symbol];
    const std::size_t length = length_step.base + bits_.take(length_step.bits);
    bits_.refill();
    const unsigned distance_symbol = code.read(bits_);
    require(distance_symbol < distances.size(), malformed);
    const Step step = distances[distance_symbol];
    const std::size_t distance = step.base + bits_.take(step.bits);
    require(distance <= size_, malformed);
    std::byte* to = &out_[size_];
    const std::byte* from = to - distance;
    grow(length);
    if (distance >= slack) {
      for (std::size_t at = 0; at < length; at += slack) {
        std::memcpy(to + at, from + at, slack);
      }
      return;
    }
    for (std::size_t at = 0; at < length; ++at) {
      to[at] = from[at];
    }
  }

  Bits bits_;
  Code<19, 7> lengths_code_;
  Codes codes_;
  std::size_t most_;
  Values<std::byte>& out_;
  std::size_t size_ = 0;
};

}  // namespace

std::size_t inflate(std::span<const std::byte> packed, std::size_t most, Values<std::byte>& out) {
  return Inflater(packed, most, out).run();
}

}  // namespace flowkit
