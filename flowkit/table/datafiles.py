"""One Parquet data file: written row group by row group, then described by its footer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    MetricModeTypes,
    StatisticsCollector,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.schema import Schema, sanitize_column_names
from pyiceberg.table import TableProperties
from pyiceberg.types import DoubleType, FloatType

from flowkit.table.encoding import dictionary_columns
from flowkit.table.errors import DataFileUnwritten
from flowkit.table.properties import number_property
from flowkit.table.written import ColumnStats, WrittenFile

_UNCOMPRESSED: Final = {"uncompressed": "none"}


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How the data files of a table are written: made once a writer.

    `arrow` carries the field ids, by which readers go. Column names that Avro does not allow are
    replaced in it, as other Iceberg writers do.
    """

    arrow: pa.Schema
    options: Mapping[str, Any]
    row_group_rows: int
    metrics: Mapping[int, StatisticsCollector]
    field_ids: Mapping[str, int]
    float_columns: Mapping[int, int]

    @classmethod
    def of(cls, schema: Schema, properties: Mapping[str, str]) -> FileLayout:
        """Return the layout of a table with a schema and properties."""
        in_file = sanitize_column_names(schema)
        metrics = compute_statistics_plan(schema, dict(properties))
        return cls(
            arrow=schema_to_pyarrow(in_file),
            options=_parquet_options(properties),
            row_group_rows=number_property(
                properties,
                TableProperties.PARQUET_ROW_GROUP_LIMIT,
                TableProperties.PARQUET_ROW_GROUP_LIMIT_DEFAULT,
            ),
            metrics=metrics,
            field_ids=parquet_path_to_id_mapping(in_file),
            float_columns={
                at: field.field_id
                for at, field in enumerate(schema.fields)
                if isinstance(field.field_type, FloatType | DoubleType)
                and metrics[field.field_id].mode.type is not MetricModeTypes.NONE
            },
        )


class DataFileWriter:
    """Writes one data file through a table's FileIO, so that any store works."""

    def __init__(self, io: FileIO, path: str, layout: FileLayout) -> None:
        self.path = path
        self._io, self._layout = io, layout
        with _writing(path):
            self._sink = _Counting(io.new_output(path).create())
        self._parquet: Any = None
        self._nan_counts = dict.fromkeys(layout.float_columns.values(), 0)
        self._row_count = 0

    @property
    def size_bytes(self) -> int:
        """Bytes written so far; the footer comes on top."""
        return self._sink.tell()

    @property
    def row_count(self) -> int:
        """Rows written so far."""
        return self._row_count

    def write(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Write batches of the table's Arrow schema as the next row group or groups.

        Raises:
            DataFileUnwritten: there is no room, or the store does not answer.
        """
        table = pa.Table.from_batches(batches, self._layout.arrow)
        for at, field_id in self._layout.float_columns.items():
            self._nan_counts[field_id] += pc.sum(pc.is_nan(table.column(at))).as_py() or 0
        with _writing(self.path):
            if self._parquet is None:
                self._parquet = self._begin(table)
            self._parquet.write_table(table, row_group_size=self._layout.row_group_rows)
        self._row_count += table.num_rows

    def close(self, partition: tuple[object, ...], sort_order_id: int | None) -> WrittenFile:
        """Finish the file, which must have rows, and describe it. Raises what `write` raises."""
        with _writing(self.path):
            self._parquet.close()
            self._sink.close()
        metadata = self._parquet.writer.metadata
        found = data_file_statistics_from_parquet_metadata(
            parquet_metadata=metadata,
            stats_columns=dict(self._layout.metrics),
            parquet_column_mapping=dict(self._layout.field_ids),
        ).to_serialized_dict()
        return WrittenFile(
            path=self.path,
            partition=partition,
            row_count=metadata.num_rows,
            size_bytes=self._sink.tell(),
            columns=tuple(
                ColumnStats(
                    field_id=field_id,
                    size_bytes=size_bytes,
                    value_count=found["value_counts"].get(field_id),
                    null_count=found["null_value_counts"].get(field_id),
                    nan_count=self._nan_counts.get(field_id),
                    lower=found["lower_bounds"].get(field_id),
                    upper=found["upper_bounds"].get(field_id),
                )
                for field_id, size_bytes in found["column_sizes"].items()
            ),
            split_offsets=tuple(found["split_offsets"]),
            sort_order_id=sort_order_id,
        )

    def _begin(self, rows: pa.Table) -> Any:
        layout = self._layout
        return pq.ParquetWriter(
            self._sink.stream,
            layout.arrow,
            store_decimal_as_integer=True,
            # An empty list would mean all columns.
            use_dictionary=dictionary_columns(rows, layout.field_ids) or False,
            **layout.options,
        )

    def discard(self) -> None:
        """Give up the file and delete what there is of it."""
        # A disk that was too full for the rows is too full for the footer.
        with suppress(OSError):
            if self._parquet is not None:
                self._parquet.close()
        with suppress(OSError):
            self._sink.close()
        self._io.delete(self.path)


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataFileUnwritten(path, reason=" ".join(str(error).split())) from error


class _Counting:
    """A pyiceberg output stream that Parquet can be written to, and that knows its length.

    Arrow's own streams know theirs. Others promise no more than `write` and `close`.
    """

    def __init__(self, stream: Any) -> None:
        self._inner = stream
        self._count = 0
        self._closed_at: int | None = None
        self._is_native = isinstance(stream, pa.NativeFile)
        self.stream: Any = stream if self._is_native else pa.PythonFile(self, mode="w")

    closed = False

    def write(self, data: bytes) -> int:
        self._inner.write(data)
        self._count += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: the stream below flushes when it is closed."""

    def tell(self) -> int:
        if self._closed_at is not None:
            return self._closed_at
        return int(self._inner.tell()) if self._is_native else self._count

    def close(self) -> None:
        if self._closed_at is None:
            self._closed_at = self.tell()
            self._inner.close()


def _parquet_options(properties: Mapping[str, str]) -> dict[str, Any]:
    codec = properties.get(
        TableProperties.PARQUET_COMPRESSION, TableProperties.PARQUET_COMPRESSION_DEFAULT
    )
    level = properties.get(TableProperties.PARQUET_COMPRESSION_LEVEL)
    return {
        "compression": _UNCOMPRESSED.get(codec, codec),
        "compression_level": number_property(
            properties, TableProperties.PARQUET_COMPRESSION_LEVEL, 0
        )
        if level
        else None,
        "data_page_size": number_property(
            properties,
            TableProperties.PARQUET_PAGE_SIZE_BYTES,
            TableProperties.PARQUET_PAGE_SIZE_BYTES_DEFAULT,
        ),
        "dictionary_pagesize_limit": number_property(
            properties,
            TableProperties.PARQUET_DICT_SIZE_BYTES,
            TableProperties.PARQUET_DICT_SIZE_BYTES_DEFAULT,
        ),
        "write_batch_size": number_property(
            properties,
            TableProperties.PARQUET_PAGE_ROW_LIMIT,
            TableProperties.PARQUET_PAGE_ROW_LIMIT_DEFAULT,
        ),
    }
