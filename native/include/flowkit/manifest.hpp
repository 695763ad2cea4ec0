#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "flowkit/array.hpp"
#include "flowkit/status.hpp"

namespace flowkit {

// Readers of Iceberg's metadata in Avro: files of any version of the table format and of any
// writer, as fields are found by their ids. A row is an entry; a column is a field of the
// specification, by its name, and null where the writer did not know it (but `content` and the
// sequence numbers of manifest lists, which are then 0). Columns have their field ids in the
// metadata of their Arrow fields, under `PARQUET:field_id`.
//
// `file` is the whole file, with blocks that are deflated or as they are. `columns` are the names
// of those wanted, in the order in which they come out; none means all. What is not wanted is not
// decoded. Both return invalid_data for an unknown or repeated column, and for bytes that are no
// such file, and then leave `out` alone.
//
// Source: Iceberg's specification, "Manifests", "Manifest Lists" and appendix A.

/// Reads a manifest: a struct of status, snapshot_id, sequence_number, file_sequence_number and the
/// fields of the data file, such as file_path, partition (a struct of what the writer has),
/// record_count, null_value_counts (a map) and lower_bounds (a map to binary).
Status read_manifest(std::span<const std::byte> file, std::span<const std::string_view> columns,
                     Array& out) noexcept;

/// Reads a manifest list: a struct of manifest_path, manifest_length, partition_spec_id, content
/// and so on; `partitions` is a list of contains_null, contains_nan, lower_bound and upper_bound.
Status read_manifest_list(std::span<const std::byte> file,
                          std::span<const std::string_view> columns, Array& out) noexcept;

}  // namespace flowkit
