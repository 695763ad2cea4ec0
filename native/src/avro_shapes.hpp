#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "avro_builder.hpp"
#include "avro_values.hpp"

namespace flowkit {

/// The types that Iceberg gives the fields of its manifests.
enum class Shape : std::uint8_t {
  boolean,
  int32,
  int64,
  text,
  binary,
  int32_list,
  int64_list,
  counts,     ///< a map from int32 to int64
  bounds,     ///< a map from int32 to binary
  summaries,  ///< a list of what a manifest list knows of each partition field
  partition,  ///< a struct of whatever fields the writer has
};

/// A field that is wanted, wherever the writer has it.
struct Wanted {
  std::int64_t id;
  std::string_view name;
  Shape shape;
  bool zero_if_missing = false;  ///< else null
};

/// Collects records into a struct of the wanted fields, in the order in which they are wanted.
class Records final : public Builder {
 public:
  /// Looks for the fields by their ids in `type`, and one level below if a record there has the id
  /// `flattened`; for no values ever if `type` is null. Borrows `type`. Throws InvalidData if the
  /// writer has a field with another type than it can have, or twice.
  Records(const AvroType* type, std::span<const Wanted> wanted, std::int64_t flattened = -1);

  void read(AvroReader& reader) override;
  void add_null() override;
  void add_zero() override { add_null(); }
  Array finish(const std::string& name, std::int64_t field_id) override;

 private:
  std::vector<Step> plan(const AvroType& record, std::int64_t flattened);

  std::vector<Wanted> wanted_;
  std::vector<std::unique_ptr<Builder>> builders_;  // one each, in the same order
  std::vector<std::size_t> missing_;                // those that the writer does not have
  std::vector<Step> steps_;
  Validity validity_;
};

}  // namespace flowkit
