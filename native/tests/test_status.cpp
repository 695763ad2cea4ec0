#include <new>
#include <stdexcept>
#include <string>

#include "check.hpp"
#include "flowkit/status.hpp"
#include "guarded.hpp"

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
  what_a_body_throws_becomes_a_status();
}
