#include "tokens.hpp"

#include <algorithm>

#include "murmur3.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

/// The white space of Unicode, and the separators of ASCII, as Python's `str.split` has them.
bool is_blank(char32_t point) noexcept {
  return (point >= 0x09 && point <= 0x0d) || (point >= 0x1c && point <= 0x20) || point == 0x85 ||
         point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) ||
         point == 0x2028 || point == 0x2029 || point == 0x202f || point == 0x205f ||
         point == 0x3000;
}

}  // namespace

std::uint32_t Vocabulary::number(std::string_view token) {
  const std::uint32_t hash = Murmur3::hash(token);
  Slot& slot = find(token, hash);
  if (slot.number != free) {
    return slot.number;
  }
  require(count_ < free, "there are over 2^32 different tokens");
  slot = {token, hash, count_++};
  const std::uint32_t number = slot.number;
  if (std::size_t{count_} * 2 > slots_.size()) {
    grow();
  }
  return number;
}

Vocabulary::Slot& Vocabulary::find(std::string_view token, std::uint32_t hash) noexcept {
  std::size_t at = hash & (slots_.size() - 1);
  while (slots_[at].number != free && (slots_[at].hash != hash || slots_[at].token != token)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  return slots_[at];
}

void Vocabulary::grow() {
  std::vector<Slot> old(slots_.size() * 4);
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (slot.number != free) {
      find(slot.token, slot.hash) = slot;
    }
  }
}

TokenSets::TokenSets(const Column& column, Vocabulary& vocabulary) {
  constexpr std::string_view what = "a similarity of strings";
  if (!column.type().is_text()) {
    refuse_type(column.type(), what);
  }
  const auto rows = static_cast<std::size_t>(column.length());
  begins_.reserve(rows + 1);
  begins_.push_back(0);
  if (column.null_count() != 0) {
    nulls_.reserve(rows);
  }
  with_bytes(column.type(), what, [&](auto bytes_of) {
    column.for_parts(0, column.length(),
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t) {
                       for (; at < end; ++at) {
                         const bool is_null = chunk.is_null(at);
                         if (column.null_count() != 0) {
                           nulls_.push_back(static_cast<std::uint8_t>(is_null));
                         }
                         if (!is_null) {
                           add(bytes_of(chunk, at), vocabulary);
                         }
                         begins_.push_back(numbers_.size());
                       }
                     });
  });
}

void TokenSets::add(std::string_view text, Vocabulary& vocabulary) {
  const std::size_t begin = numbers_.size();
  const auto end_token = [&](const char* token, const char* end) {
    if (token != end) {
      numbers_.push_back(vocabulary.number({token, static_cast<std::size_t>(end - token)}));
    }
  };
  const char* token = text.data();
  if (is_ascii(text)) {
    for (const char& byte : text) {
      if (static_cast<unsigned char>(byte) <= 0x20U && is_blank(static_cast<char32_t>(byte))) {
        end_token(token, &byte);
        token = &byte + 1;
      }
    }
    text.remove_prefix(text.size());
  }
  while (!text.empty()) {
    const char* here = text.data();
    const char32_t point = next_code_point(text);
    require(point <= 0x10ffff, "a string is not UTF-8");
    if (is_blank(point)) {
      end_token(token, here);
      token = text.data();
    }
  }
  end_token(token, text.data());
  make_set(begin);
}

void TokenSets::make_set(std::size_t begin) {
  const auto first = numbers_.begin() + static_cast<std::ptrdiff_t>(begin);
  std::sort(first, numbers_.end());
  numbers_.erase(std::unique(first, numbers_.end()), numbers_.end());
}

}  // namespace flowkit
