#include "json.hpp"

#include <algorithm>
#include <charconv>

#include "guarded.hpp"

namespace flowkit {
namespace {

constexpr int deepest = 64;
constexpr std::string_view malformed = "the JSON of the schema is malformed";

void append_utf8(std::string& text, unsigned point) {
  const auto push = [&](unsigned byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80U) {
    push(point);
  } else if (point < 0x800U) {
    push(0xc0U | (point >> 6U));
    push(0x80U | (point & 0x3fU));
  } else if (point < 0x10000U) {
    push(0xe0U | (point >> 12U));
    push(0x80U | ((point >> 6U) & 0x3fU));
    push(0x80U | (point & 0x3fU));
  } else {
    push(0xf0U | (point >> 18U));
    push(0x80U | ((point >> 12U) & 0x3fU));
    push(0x80U | ((point >> 6U) & 0x3fU));
    push(0x80U | (point & 0x3fU));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Json document() {
    Json json = value(0);
    skip_blanks();
    require(rest_.empty(), malformed);
    return json;
  }

 private:
  void skip_blanks() noexcept {
    const auto at = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
  }

  char peek() {
    skip_blanks();
    require(!rest_.empty(), malformed);
    return rest_[0];
  }

  bool take(std::string_view word) noexcept {
    if (!rest_.starts_with(word)) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  void expect(char character) {
    require(peek() == character, malformed);
    rest_.remove_prefix(1);
  }

  Json value(int depth) {
    require(depth < deepest, "the JSON of the schema nests too deep");
    Json json;
    switch (peek()) {
      case '{':
        json.kind = Json::Kind::object;
        elements('}', [&] {
          json.names.push_back(string());
          expect(':');
          json.items.push_back(value(depth + 1));
        });
        return json;
      case '[':
        json.kind = Json::Kind::array;
        elements(']', [&] { json.items.push_back(value(depth + 1)); });
        return json;
      case '"':
        json.kind = Json::Kind::text;
        json.text = string();
        return json;
      default:
        return word_or_number();
    }
  }

  template <typename Element>
  void elements(char end, const Element& element) {
    rest_.remove_prefix(1);
    if (peek() == end) {
      rest_.remove_prefix(1);
      return;
    }
    while (true) {
      element();
      if (peek() == end) {
        rest_.remove_prefix(1);
        return;
      }
      expect(',');
    }
  }

  Json word_or_number() {
    Json json;
    if (take("null")) {
      return json;
    }
    json.kind = Json::Kind::boolean;
    json.truth = take("true");
    if (json.truth || take("false")) {
      return json;
    }
    json.kind = Json::Kind::number;
    const auto size = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    require(size != 0, malformed);
    std::int64_t number = 0;
    const char* end = rest_.data() + size;
    if (const auto [stop, error] = std::from_chars(rest_.data(), end, number);
        error == std::errc{} && stop == end) {
      json.number = number;
    }
    rest_.remove_prefix(size);
    return json;
  }

  std::string string() {
    expect('"');
    std::string text;
    while (true) {
      const auto plain = rest_.find_first_of("\"\\");
      require(plain != std::string_view::npos, malformed);
      text += rest_.substr(0, plain);
      const bool ends = rest_[plain] == '"';
      rest_.remove_prefix(plain + 1);
      if (ends) {
        return text;
      }
      escape(text);
    }
  }

  void escape(std::string& text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    require(!rest_.empty(), malformed);
    const char letter = rest_[0];
    rest_.remove_prefix(1);
    if (letter != 'u') {
      const auto at = letters.find(letter);
      require(at != std::string_view::npos, malformed);
      text.push_back(meanings[at]);
      return;
    }
    unsigned point = hex();
    if (point >= 0xd800U && point < 0xdc00U && take("\\u")) {
      const unsigned low = hex();
      require(low >= 0xdc00U && low < 0xe000U, malformed);
      point = 0x10000U + ((point - 0xd800U) << 10U) + (low - 0xdc00U);
    }
    require(point < 0xd800U || point >= 0xe000U, malformed);
    append_utf8(text, point);
  }

  unsigned hex() {
    require(rest_.size() >= 4, malformed);
    unsigned number = 0;
    const char* end = rest_.data() + 4;
    const auto [stop, error] = std::from_chars(rest_.data(), end, number, 16);
    require(error == std::errc{} && stop == end, malformed);
    rest_.remove_prefix(4);
    return number;
  }

  std::string_view rest_;
};

}  // namespace

const Json* Json::find(std::string_view name) const noexcept {
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (names[at] == name) {
      return &items[at];
    }
  }
  return nullptr;
}

Json parse_json(std::string_view text) { return Parser(text).document(); }

}  // namespace flowkit
