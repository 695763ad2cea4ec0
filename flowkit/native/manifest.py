"""Iceberg's metadata in Avro, read into Arrow: a row an entry, a column a field.

Files of any version of the table format and of any writer are read, as fields are found by their
ids. A field is null where the writer did not know it, but `content` and the sequence numbers of
manifest lists, which are then 0. Blocks may be deflated or as they are.

Source: Iceberg's specification, "Manifests", "Manifest Lists" and appendix A.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import check_names

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from flowkit.native.arrow import Array


def read_manifest(file: Buffer, columns: Sequence[str] = ()) -> Array:
    """Read a manifest: the data files or delete files that it lists.

    Args:
        file: the whole file, any object with a C-contiguous buffer.
        columns: names of those wanted, in this order; none means all. Others are not decoded.

    Returns:
        (entries,) struct, which `pyarrow.record_batch` takes: status, snapshot_id,
        sequence_number and file_sequence_number of the entry, null if they are inherited; and of
        its file content, file_path, file_format, partition (a struct of what the writer has, its
        fields with their ids), record_count, file_size_in_bytes, column_sizes, value_counts,
        null_value_counts, nan_value_counts (maps from a field's id to int64), lower_bounds,
        upper_bounds (maps to binary), key_metadata, split_offsets, equality_ids, sort_order_id,
        first_row_id, referenced_data_file, content_offset and content_size_in_bytes.

    Raises:
        UsageError: the bytes are no manifest, or are torn or altered; they are compressed with
            another codec; or there is no such column.
    """
    return _native.read_manifest(file, check_names("columns", columns))


def read_manifest_list(file: Buffer, columns: Sequence[str] = ()) -> Array:
    """Read a manifest list: the manifests of a snapshot.

    Args:
        file: the whole file, any object with a C-contiguous buffer.
        columns: names of those wanted, in this order; none means all. Others are not decoded.

    Returns:
        (manifests,) struct, which `pyarrow.record_batch` takes: manifest_path, manifest_length,
        partition_spec_id, content, sequence_number, min_sequence_number, added_snapshot_id,
        added_files_count, existing_files_count, deleted_files_count, added_rows_count,
        existing_rows_count, deleted_rows_count, partitions (a list of contains_null, contains_nan,
        lower_bound and upper_bound, one a field of the partition), key_metadata and first_row_id.

    Raises:
        UsageError: as for `read_manifest`.
    """
    return _native.read_manifest_list(file, check_names("columns", columns))
