#include "flowkit/manifest.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "avro_file.hpp"
#include "avro_shapes.hpp"
#include "guarded.hpp"
#include "utf8.hpp"

namespace flowkit {
namespace {

constexpr std::int64_t no_id = -1;
constexpr std::int64_t data_file_id = 2;

constexpr std::array entry_fields{
    Wanted{0, "status", Shape::int32},
    Wanted{1, "snapshot_id", Shape::int64},
    Wanted{3, "sequence_number", Shape::int64},
    Wanted{4, "file_sequence_number", Shape::int64},
    Wanted{134, "content", Shape::int32, true},
    Wanted{100, "file_path", Shape::text},
    Wanted{101, "file_format", Shape::text},
    Wanted{102, "partition", Shape::partition},
    Wanted{103, "record_count", Shape::int64},
    Wanted{104, "file_size_in_bytes", Shape::int64},
    Wanted{108, "column_sizes", Shape::counts},
    Wanted{109, "value_counts", Shape::counts},
    Wanted{110, "null_value_counts", Shape::counts},
    Wanted{137, "nan_value_counts", Shape::counts},
    Wanted{125, "lower_bounds", Shape::bounds},
    Wanted{128, "upper_bounds", Shape::bounds},
    Wanted{131, "key_metadata", Shape::binary},
    Wanted{132, "split_offsets", Shape::int64_list},
    Wanted{135, "equality_ids", Shape::int32_list},
    Wanted{140, "sort_order_id", Shape::int32},
    Wanted{142, "first_row_id", Shape::int64},
    Wanted{143, "referenced_data_file", Shape::text},
    Wanted{144, "content_offset", Shape::int64},
    Wanted{145, "content_size_in_bytes", Shape::int64},
};

constexpr std::array list_fields{
    Wanted{500, "manifest_path", Shape::text},
    Wanted{501, "manifest_length", Shape::int64},
    Wanted{502, "partition_spec_id", Shape::int32},
    Wanted{517, "content", Shape::int32, true},
    Wanted{515, "sequence_number", Shape::int64, true},
    Wanted{516, "min_sequence_number", Shape::int64, true},
    Wanted{503, "added_snapshot_id", Shape::int64},
    Wanted{504, "added_files_count", Shape::int32},
    Wanted{505, "existing_files_count", Shape::int32},
    Wanted{506, "deleted_files_count", Shape::int32},
    Wanted{512, "added_rows_count", Shape::int64},
    Wanted{513, "existing_rows_count", Shape::int64},
    Wanted{514, "deleted_rows_count", Shape::int64},
    Wanted{507, "partitions", Shape::summaries},
    Wanted{519, "key_metadata", Shape::binary},
    Wanted{520, "first_row_id", Shape::int64},
};

std::vector<Wanted> choose(std::span<const Wanted> known,
                           std::span<const std::string_view> columns) {
  if (columns.empty()) {
    return {known.begin(), known.end()};
  }
  std::vector<Wanted> chosen;
  for (const std::string_view column : columns) {
    const auto found = std::ranges::find(known, column, &Wanted::name);
    if (found == known.end()) {
      throw InvalidData("there is no column `" + std::string(front_of(column, 60)) + "`");
    }
    if (std::ranges::find(chosen, column, &Wanted::name) != chosen.end()) {
      throw InvalidData("column `" + std::string(column) + "` is wanted twice");
    }
    chosen.push_back(*found);
  }
  return chosen;
}

/// Reads a file that has the field `required`, without which it is another kind of file.
Status read_file(std::span<const std::byte> bytes, std::span<const std::string_view> columns,
                 std::span<const Wanted> known, std::int64_t flattened, std::int64_t required,
                 Array& out) noexcept {
  return guarded([&]() -> Status {
    const std::vector<Wanted> wanted = choose(known, columns);
    AvroFile file(bytes);
    const AvroType& schema = file.schema();
    require(
        schema.kind == AvroType::Kind::record &&
            std::ranges::find(schema.parts, required, &AvroType::field_id) != schema.parts.end(),
        "the Avro file is of another kind: its schema lacks the fields of this one");
    Records records(&schema, wanted, flattened);
    file.for_records([&](AvroReader& reader) { records.read(reader); });
    out = records.finish("", no_id);
    return {};
  });
}

}  // namespace

Status read_manifest(std::span<const std::byte> file, std::span<const std::string_view> columns,
                     Array& out) noexcept {
  return read_file(file, columns, entry_fields, data_file_id, data_file_id, out);
}

Status read_manifest_list(std::span<const std::byte> file,
                          std::span<const std::string_view> columns, Array& out) noexcept {
  return read_file(file, columns, list_fields, no_id, list_fields[0].id, out);
}

}  // namespace flowkit
