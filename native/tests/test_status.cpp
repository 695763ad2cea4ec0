#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

#include "check.hpp"
#include "flowkit/status.hpp"
#include "guarded.hpp"
#include "utf8.hpp"

using flowkit::guarded;
using flowkit::Status;

namespace {

void a_default_status_is_ok() {
  const Status status;
  CHECK(status.ok());
  CHECK(status.message().empty());
}

void a_long_message_is_cut() {
  const std::string long_message(1000, 'x');
  const Status status(Status::Code::bug, long_message);
  CHECK(!status.ok());
  CHECK(!status.message().empty() && status.message().size() < long_message.size());
  CHECK(long_message.starts_with(status.message()));
}

void a_message_is_cut_between_code_points() {
  for (const std::string_view letter : {"\u00e4", "\u20ac", "\U0001f600"}) {
    for (std::size_t front = 0; front < letter.size(); ++front) {
      std::string message(front, 'x');
      while (message.size() < 2 * Status::capacity) {
        message += letter;
      }
      const Status status(Status::Code::bug, message);
      CHECK(flowkit::is_utf8(status.message()) && message.starts_with(status.message()));
      CHECK(status.message().size() > Status::capacity - letter.size());
    }
  }
}

void a_message_that_is_no_text_becomes_one() {
  const Status status(Status::Code::bug, "a\xff\xc3\u00e4\xe2\x82");
  CHECK(status.message() == "a\ufffd\ufffd\u00e4\ufffd\ufffd");
  const Status longest(Status::Code::bug, std::string(Status::capacity, '\xff'));
  CHECK(flowkit::is_utf8(longest.message()) && longest.message().size() == 159);
}

void what_is_quoted_is_cut_between_code_points() {
  CHECK(flowkit::front_of("a\u20acb", 5) == "a\u20acb");
  CHECK(flowkit::front_of("a\u20acb", 4) == "a\u20ac");
  CHECK(flowkit::front_of("a\u20acb", 3) == "a" && flowkit::front_of("a\u20acb", 2) == "a");
  CHECK(flowkit::front_of("\x80\x80", 1).empty());
}

void what_a_body_throws_becomes_a_status() {
  CHECK(guarded([]() -> Status { return {}; }).ok());
  CHECK(guarded([]() -> Status { throw std::bad_alloc(); }).code() == Status::Code::out_of_memory);
  const Status bug = guarded([]() -> Status { throw std::logic_error("why"); });
  CHECK(bug.code() == Status::Code::bug && bug.message() == "why");
  CHECK(guarded([]() -> Status { throw 1; }).code() == Status::Code::bug);
}

}  // namespace

int main() {
  a_default_status_is_ok();
  a_long_message_is_cut();
  a_message_is_cut_between_code_points();
  a_message_that_is_no_text_becomes_one();
  what_is_quoted_is_cut_between_code_points();
  what_a_body_throws_becomes_a_status();
}
