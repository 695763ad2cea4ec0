#include "texts.hpp"

#include <limits>

#include "utf8.hpp"

namespace flowkit {
namespace {

constexpr std::size_t readable = 64;  // bytes from any text on

void decode(std::string_view bytes, Values<char32_t>& points) {
  while (!bytes.empty()) {
    const char32_t point = next_code_point(bytes);
    require(point <= 0x10ffff, "a string is not UTF-8");
    points.push_back(point);
  }
}

}  // namespace

Texts::Texts(const Column& column)
    : size_(static_cast<std::size_t>(column.length())),
      rows_(size_ + readable / sizeof(Text)),
      has_nulls_(column.null_count() != 0) {
  constexpr std::string_view what = "a similarity of strings";
  if (!column.type().is_text()) {
    refuse_type(column.type(), what);
  }
  // First where each text lies, as the memory that it lies in still moves.
  std::vector<std::size_t> begins(size_);
  with_bytes(column.type(), what, [&](auto bytes_of) {
    column.for_parts(0, column.length(),
                     [&](const Chunk& chunk, std::int64_t at, std::int64_t end, std::int64_t row) {
                       for (; at < end; ++at, ++row) {
                         const auto place = static_cast<std::size_t>(row);
                         rows_[place].is_null = chunk.is_null(at);
                         if (!rows_[place].is_null) {
                           begins[place] = add(rows_[place], bytes_of(chunk, at));
                         }
                       }
                     });
  });
  narrow_.resize(narrow_.size() + readable, '\0');
  for (std::size_t row = 0; row < size_; ++row) {
    Text& text = rows_[row];
    if (!text.is_ascii) {
      text.place_outside(wide_.data() + begins[row]);
    } else if (text.size > Text::longest_inside) {
      text.place_outside(narrow_.data() + begins[row]);
    }
  }
}

std::size_t Texts::add(Text& text, std::string_view bytes) {
  require(bytes.size() <= std::numeric_limits<std::int32_t>::max(), "a string has over 2 GiB");
  text.is_ascii = is_ascii(bytes);
  if (!text.is_ascii) {
    const std::size_t begin = wide_.size();
    decode(bytes, wide_);
    text.size = static_cast<std::int32_t>(wide_.size() - begin);
    return begin;
  }
  text.size = static_cast<std::int32_t>(bytes.size());
  if (text.size <= Text::longest_inside) {
    text.place_inside(bytes);
    return 0;
  }
  const std::size_t begin = narrow_.size();
  narrow_.insert(narrow_.end(), bytes.begin(), bytes.end());
  return begin;
}

}  // namespace flowkit
