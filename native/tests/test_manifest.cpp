// The parts of the reader that no file of a good writer reaches.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "avro_file.hpp"
#include "avro_reader.hpp"
#include "avro_schema.hpp"
#include "check.hpp"
#include "guarded.hpp"
#include "inflate.hpp"
#include "json.hpp"
#include "utf8.hpp"

using flowkit::guarded;
using flowkit::Json;
using flowkit::Status;

namespace {

template <typename Body>
bool throws(const Body& body) {
  const Status status = guarded([&]() -> Status {
    body();
    return {};
  });
  CHECK(status.ok() || status.code() == Status::Code::invalid_data);
  return !status.ok();
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void numbers_have_64_bits() {
  const auto read = [](std::string_view text) {
    const std::vector<std::byte> bytes = bytes_of(text);
    return flowkit::AvroReader(bytes).integer();
  };
  const std::string nine(9, '\xff');
  CHECK(read("\x80\x01") == 64);
  CHECK(read(nine.substr(1) + '\x7f') == std::numeric_limits<std::int64_t>::min() / 2);
  CHECK(read(nine + '\x01') == std::numeric_limits<std::int64_t>::min());
  CHECK(read('\xfe' + nine.substr(1) + '\x01') == std::numeric_limits<std::int64_t>::max());
  CHECK(throws([&] { (void)read(nine + '\x02'); }));
  CHECK(throws([&] { (void)read(nine + '\x03'); }));
  CHECK(throws([&] { (void)read(nine + "\x81\x00"); }));
  CHECK(throws([&] { (void)read(nine); }));
}

/// Counts the records of a file with one block, of records with these fields.
std::int64_t count_records(std::string_view fields, std::string_view block) {
  const std::string schema =
      R"({"type":"record","name":"r","fields":[)" + std::string(fields) + "]}";
  const std::string mark(16, 'm');
  const std::string size{static_cast<char>(((2 * schema.size()) & 0x7fU) | 0x80U),
                         static_cast<char>((2 * schema.size()) >> 7U)};
  const std::string text = std::string("Obj\x01\x02\x16") + "avro.schema" + size + schema + '\0' +
                           mark + std::string(block) + mark;
  const std::vector<std::byte> bytes = bytes_of(text);
  flowkit::AvroFile file(bytes);
  std::int64_t count = 0;
  file.for_records([&](flowkit::AvroReader& reader) {
    reader.skip(file.schema());
    ++count;
  });
  return count;
}

void a_block_has_no_more_records_than_bytes() {
  using std::literals::operator""sv;
  constexpr std::string_view one = R"({"name":"a","type":"boolean"})";
  CHECK(count_records(one, "\x04\x04\x00\x01"sv) == 2);
  CHECK(count_records("", "\x00\x00"sv) == 0);
  CHECK(throws([&] { (void)count_records(one, "\x06\x04\x00\x01"sv); }));
  // They would take nothing, and a file of a few bytes could have them for ever.
  CHECK(throws([&] { (void)count_records("", "\x02\x00"sv); }));
}

void json_is_parsed() {
  const Json json = flowkit::parse_json(
      " { \"a\" : [ 1 , -2.5e3 , true , null , \"\\u00e4\\ud83d\\ude00\\n\" ] , \"b\" : { } } ");
  const Json* items = json.find("a");
  CHECK(items != nullptr && items->items.size() == 5);
  CHECK(items->items[0].number == 1 && !items->items[1].number);
  CHECK(items->items[2].truth && items->items[3].kind == Json::Kind::null);
  CHECK(items->items[4].text == "ä\xf0\x9f\x98\x80\n");
  CHECK(json.find("b")->kind == Json::Kind::object && json.find("c") == nullptr);
}

void malformed_json_is_refused() {
  for (const std::string_view text :
       {"", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{1:2}", "\"", "\"\\", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800\\u0041\"", "nul", "1 2", "[1 2]", "x"}) {
    CHECK(throws([&] { (void)flowkit::parse_json(text); }));
  }
}

void schemas_that_make_no_sense_are_refused() {
  for (const std::string_view text :
       {"1", "[]", "{}", "\"nothing\"", R"({"type":"record"})", R"({"type":"array"})",
        R"({"type":"fixed","name":"f"})", R"({"type":"record","fields":[{"name":"a"}]})",
        R"({"type":"enum","name":"e"})"}) {
    CHECK(throws([&] { (void)flowkit::parse_avro_schema(text); }));
  }
}

bool inflates(std::vector<int> bytes, std::size_t most = 1000) {
  std::vector<std::byte> packed;
  for (const int byte : bytes) {
    packed.push_back(static_cast<std::byte>(byte));
  }
  flowkit::Values<std::byte> out;
  return !throws([&] { (void)flowkit::inflate(packed, most, out); });
}

void malformed_streams_are_refused() {
  CHECK(inflates({0x01, 3, 0, 0xfc, 0xff, 1, 2, 3}));
  CHECK(!inflates({}));
  CHECK(!inflates({0x07}));                             // a kind of block that is not there
  CHECK(!inflates({0x01, 3, 0, 0xfc, 0xff, 1, 2}));     // ends early
  CHECK(!inflates({0x01, 3, 0, 0xfc, 0xfe, 1, 2, 3}));  // a size that contradicts itself
  CHECK(!inflates({0x00, 0, 0, 0xff, 0xff}));           // no last block
  CHECK(inflates({0x4b, 0x04, 0x00}));                  // "a"
  CHECK(!inflates({0x4b, 0x04}));
  CHECK(!inflates({0x03, 0x02, 0x00}));              // a match before the start
  CHECK(!inflates({0x05, 0xff, 0xff, 0xff, 0xff}));  // too many codes
}

void no_more_is_unpacked_than_allowed() {
  const std::vector<int> zeros{0x63, 0x60, 0x18, 0x5, 0xc4, 0x2, 0x0};  // 300 of them
  CHECK(inflates(zeros, 300));
  CHECK(!inflates(zeros, 299));
}

void only_well_formed_utf8_is_text() {
  for (const std::string_view text : {"", "abc", "ä€\xf0\x9f\x98\x80", "\xed\x9f\xbf"}) {
    CHECK(flowkit::is_utf8(text));
  }
  for (const std::string_view bytes :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "abcdefgh\xff", "\xf0\x9f\x98"}) {
    CHECK(!flowkit::is_utf8(bytes));
  }
}

}  // namespace

int main() {
  numbers_have_64_bits();
  a_block_has_no_more_records_than_bytes();
  json_is_parsed();
  malformed_json_is_refused();
  schemas_that_make_no_sense_are_refused();
  malformed_streams_are_refused();
  no_more_is_unpacked_than_allowed();
  only_well_formed_utf8_is_text();
}
