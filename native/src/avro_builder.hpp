#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "avro_reader.hpp"
#include "avro_schema.hpp"
#include "flowkit/array.hpp"

namespace flowkit {

/// Collects values of one type into an Arrow array.
class Builder {
 public:
  Builder() = default;
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;
  virtual ~Builder() = default;

  /// Reads a value and adds it.
  virtual void read(AvroReader& reader) = 0;

  /// Adds a null.
  virtual void add_null() = 0;

  /// Adds zero, false, or what is empty.
  virtual void add_zero() = 0;

  /// Makes the array, with the name of its field and its id if that is not negative.
  virtual Array finish(const std::string& name, std::int64_t field_id) = 0;
};

/// What becomes of a value as it is written: it is read into a builder, or skipped, or is a record
/// whose fields have steps of their own. A union with null makes it optional.
class Step {
 public:
  /// `type` and `builder` are borrowed; a null `builder` skips the value.
  Step(const AvroType& type, Builder* builder);

  /// A record, which may not be optional.
  Step(const AvroType& type, std::vector<Step> inside);

  void read(AvroReader& reader) const;

  /// Returns the type without the union that makes it optional.
  static const AvroType& required_type(const AvroType& type) noexcept;

 private:
  const AvroType* type_;
  Builder* builder_ = nullptr;
  std::vector<Step> inside_;
  std::int64_t null_branch_ = -1;
};

}  // namespace flowkit
