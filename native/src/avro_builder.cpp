#include "avro_builder.hpp"

#include <utility>

#include "guarded.hpp"

namespace flowkit {
namespace {

using Kind = AvroType::Kind;

/// Returns which of two alternatives is null, or -1 if the type is anything else.
std::int64_t find_null_branch(const AvroType& type) noexcept {
  if (type.kind != Kind::alternatives || type.parts.size() != 2) {
    return -1;
  }
  if (type.parts[0].kind == Kind::null) {
    return 0;
  }
  return type.parts[1].kind == Kind::null ? 1 : -1;
}

}  // namespace

Step::Step(const AvroType& type, Builder* builder)
    : type_(&type), builder_(builder), null_branch_(find_null_branch(type)) {}

Step::Step(const AvroType& type, std::vector<Step> inside)
    : type_(&type), inside_(std::move(inside)) {
  require(type.kind == Kind::record, "a record of the Avro schema is optional or no record");
}

const AvroType& Step::required_type(const AvroType& type) noexcept {
  const std::int64_t null_branch = find_null_branch(type);
  return null_branch < 0 ? type : type.parts[static_cast<std::size_t>(1 - null_branch)];
}

void Step::read(AvroReader& reader) const {
  if (!inside_.empty()) {
    for (const Step& step : inside_) {
      step.read(reader);
    }
    return;
  }
  if (builder_ == nullptr) {
    reader.skip(*type_);
    return;
  }
  if (null_branch_ >= 0) {
    const std::int64_t branch = reader.integer();
    require(branch == 0 || branch == 1,
            "a value in the Avro data is of no alternative of its union");
    if (branch == null_branch_) {
      builder_->add_null();
      return;
    }
  }
  builder_->read(reader);
}

}  // namespace flowkit
