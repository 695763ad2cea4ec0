"""The core's manifest reader against pyiceberg's, and on files that pyiceberg does not write."""

from __future__ import annotations

import datetime as dt
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg import types
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record

from flowkit import native
from flowkit.errors import UsageError

PARTITION = {
    types.BooleanType(): (True, pa.bool_()),
    types.IntegerType(): (-7, pa.int32()),
    types.LongType(): (2**50, pa.int64()),
    types.FloatType(): (0.5, pa.float32()),
    types.DoubleType(): (1e300, pa.float64()),
    types.DateType(): (dt.date(1969, 12, 31), pa.date32()),
    types.TimeType(): (dt.time(23, 59, 59, 5), pa.time64("us")),
    types.TimestampType(): (dt.datetime(2024, 2, 29, 12), pa.timestamp("us")),
    types.StringType(): ("ä/b", pa.string()),
    types.BinaryType(): (b"\x00\xff", pa.binary()),
    types.FixedType(3): (b"abc", pa.binary(3)),
    types.DecimalType(9, 2): (Decimal("-12.34"), pa.decimal128(9, 2)),
    types.DecimalType(38, 0): (Decimal(-(10**37)), pa.decimal128(38, 0)),
}


def read(file: bytes, *columns: str) -> pa.RecordBatch:
    batch = pa.record_batch(native.read_manifest(file, columns))
    batch.validate(full=True)
    return batch


def spec_of(kinds: Sequence[types.IcebergType]) -> tuple[PartitionSpec, Schema]:
    fields = [
        types.NestedField(at + 1, f"c{at}", kind, required=False) for at, kind in enumerate(kinds)
    ]
    parts = [
        PartitionField(at + 1, 1000 + at, IdentityTransform(), f"p{at}") for at in range(len(kinds))
    ]
    return PartitionSpec(*parts), Schema(*fields)


def raw(value: Any) -> Any:
    """Return a partition's value as pyiceberg wants to have it written."""
    match value:
        case dt.datetime():
            return (value - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
        case dt.date():
            return (value - dt.date(1970, 1, 1)).days
        case dt.time():
            return (
                (value.hour * 60 + value.minute) * 60 + value.second
            ) * 10**6 + value.microsecond
    return value


def data_file(at: int, partition: Sequence[Any]) -> DataFile:
    source = random.Random(at)
    counts = {column: source.randrange(2**40) for column in range(source.randrange(4))}
    bounds = {column: struct.pack("<q", column * at) for column in counts}
    return DataFile.from_args(
        content=DataFileContent(at % 3 if at else 0),
        file_path=f"s3://lake/é/{at}.parquet",
        file_format=FileFormat.PARQUET,
        partition=Record(*map(raw, partition)),
        record_count=source.randrange(2**62),
        file_size_in_bytes=at,
        column_sizes=counts,
        value_counts=counts,
        null_value_counts={},
        nan_value_counts=None,
        lower_bounds=bounds,
        upper_bounds=bounds if at % 2 else None,
        key_metadata=b"key" if at % 5 == 0 else None,
        split_offsets=[4, at] if at % 2 else None,
        equality_ids=[1, 2] if at % 3 == 2 else None,
        sort_order_id=at % 4 or None,
    )


def written(
    folder: Path, version: Any, codec: Any, entries: int, kinds: Sequence[types.IcebergType] = ()
) -> Path:
    """Write a manifest with pyiceberg, of which every other file has a partition of nulls."""
    spec, schema = spec_of(kinds)
    path = folder / "manifest.avro"
    output = PyArrowFileIO().new_output(str(path))
    with write_manifest(version, spec, schema, output, 77, codec) as writer:
        for at in range(entries):
            partition = [PARTITION[kind][0] if at % 2 == 0 else None for kind in kinds]
            writer.add_entry(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus(at % 3),
                    snapshot_id=77 if at % 3 == 1 else at,
                    sequence_number=at if version == 2 and at % 3 != 1 else None,
                    file_sequence_number=3 if version == 2 else None,
                    data_file=data_file(at if version == 2 else at * 3, partition),
                )
            )
    return path


def as_pyiceberg_reads(path: Path) -> list[dict[str, Any]]:
    """Read a manifest with pyiceberg by the schema in it; return rows as the core gives them."""
    rows = []
    with AvroFile[Record](PyArrowFileIO().new_input(str(path))) as file:
        names = [field.name for field in file.schema.fields]
        inner = file.schema.find_type("data_file")
        for entry in file:
            row = dict(zip(names, entry._data, strict=True))
            file_names = [field.name for field in inner.fields]
            row |= dict(zip(file_names, row.pop("data_file")._data, strict=True))
            rows.append(row)
    return rows


def plain(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


@pytest.mark.parametrize("codec", ["null", "deflate"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("entries", [1, 50])
def test_entries_are_those_that_pyiceberg_reads(
    tmp_path: Path, version: int, codec: str, entries: int
) -> None:
    path = written(tmp_path, version, codec, entries)
    found = read(path.read_bytes()).to_pylist()
    expected = as_pyiceberg_reads(path)
    assert len(found) == len(expected) == entries
    for ours, theirs in zip(found, expected, strict=True):
        theirs.pop("block_size_in_bytes", None)
        theirs.pop("partition")
        assert ours.pop("partition") == {}
        assert {name: ours[name] for name in theirs} == {
            name: plain(value) for name, value in theirs.items()
        }
        unknown = {name: value for name, value in ours.items() if name not in theirs}
        assert all(
            value is None or (name, value) == ("content", 0) for name, value in unknown.items()
        )


@pytest.mark.parametrize("version", [1, 2])
def test_partitions_have_the_types_and_values_that_were_written(
    tmp_path: Path, version: int
) -> None:
    batch = read(written(tmp_path, version, "deflate", 4, list(PARTITION)).read_bytes())
    partition = batch.column("partition")
    expected = [value for value, _ in PARTITION.values()]
    assert [field.type for field in partition.type] == [kind for _, kind in PARTITION.values()]
    assert [field.metadata[b"PARQUET:field_id"] for field in partition.type] == [
        str(1000 + at).encode() for at in range(len(PARTITION))
    ]
    assert [list(one.values()) for one in partition.to_pylist()] == [
        expected,
        [None] * len(expected),
    ] * 2


def test_only_wanted_columns_come_out_in_the_order_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, 2, "deflate", 9, [types.LongType()]).read_bytes()
    everything = read(file)
    some = read(file, "upper_bounds", "status", "partition", "file_path")
    assert some.schema.names == ["upper_bounds", "status", "partition", "file_path"]
    assert some.equals(everything.select(some.schema.names))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_manifest_lists_are_read_as_they_were_written(
    tmp_path: Path, version: Any, codec: Any
) -> None:
    io = PyArrowFileIO()
    spec, schema = spec_of([types.LongType()])
    inner, outer = tmp_path / "inner.avro", tmp_path / "list.avro"
    with write_manifest(version, spec, schema, io.new_output(str(inner)), 77, codec) as writer:
        writer.add(ManifestEntry.from_args(data_file=data_file(0, [5])))
    manifest: ManifestFile = writer.to_manifest_file()
    with write_manifest_list(version, io.new_output(str(outer)), 77, None, 8, codec) as lists:
        lists.add_manifests([manifest, manifest])
    batch = pa.record_batch(native.read_manifest_list(outer.read_bytes()))
    batch.validate(full=True)
    first, second = batch.to_pylist()
    assert first == second
    five = struct.pack("<q", 5)
    assert first == {
        "manifest_path": str(inner),
        "manifest_length": inner.stat().st_size,
        "partition_spec_id": spec.spec_id,
        "content": 0,
        "sequence_number": 8 if version == 2 else 0,
        "min_sequence_number": 8 if version == 2 else 0,
        "added_snapshot_id": 77,
        "added_files_count": 1,
        "existing_files_count": 0,
        "deleted_files_count": 0,
        "added_rows_count": data_file(0, []).record_count,
        "existing_rows_count": 0,
        "deleted_rows_count": 0,
        "partitions": [
            {
                "contains_null": False,
                "contains_nan": False,
                "lower_bound": five,
                "upper_bound": five,
            }
        ],
        "key_metadata": None,
        "first_row_id": None,
    }
    with pytest.raises(UsageError, match="another kind"):
        native.read_manifest_list(inner.read_bytes())
    with pytest.raises(UsageError, match="another kind"):
        native.read_manifest(outer.read_bytes())


# --- files that pyiceberg does not write ---------------------------------------------------------


def number(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def sized_list(items: Sequence[bytes]) -> bytes:
    """Encode an array in blocks of two, each with its size in bytes in front."""
    out = b""
    for at in range(0, len(items), 2):
        block = b"".join(items[at : at + 2])
        out += number(-len(items[at : at + 2])) + number(len(block)) + block
    return out + number(0)


def field(id: int, kind: object, name: str | None = None) -> dict[str, object]:
    return {"name": name or f"f{id}", "type": kind, "field-id": id}


def record(name: str, *fields: dict[str, object]) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": list(fields)}


def avro(
    schema: object,
    blocks: Sequence[tuple[int, bytes]],
    codec: bytes | None = None,
    pack: Callable[[bytes], bytes] = bytes,
) -> bytes:
    meta = [text(b"avro.schema") + text(json.dumps(schema).encode())]
    if codec is not None:
        meta.append(text(b"avro.codec") + text(codec))
    sync = bytes(range(16))
    made = b"Obj\x01" + number(len(meta)) + b"".join(meta) + number(0) + sync
    for count, block in blocks:
        made += number(count) + text(pack(block)) + sync
    return made


def manifest_of(*data_fields: dict[str, object]) -> dict[str, object]:
    return record("e", field(0, "int"), field(2, record("d", *data_fields)))


def deflated(level: int) -> Callable[[bytes], bytes]:
    def pack(block: bytes) -> bytes:
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        return packer.compress(block) + packer.flush()

    return pack


def test_unknown_fields_of_every_type_are_skipped() -> None:
    pair = {
        "type": "array",
        "items": record("kv", field(7, "int", "key"), field(8, "string", "value")),
    }
    schema = manifest_of(
        field(900, ["string", "null", "long"]),
        field(901, {"type": "map", "values": "double"}),
        field(902, {"type": "enum", "name": "E", "symbols": ["A", "B"]}),
        field(903, {"type": "fixed", "name": "F", "size": 3}),
        field(904, pair),
        field(100, "string"),
        field(905, ["null", "F"]),
        field(906, "boolean"),
        field(907, "float"),
        field(908, "null"),
        field(103, ["long", "null"]),
    )
    entry = b"".join(
        [
            number(1),
            number(2) + number(5),
            number(1) + text(b"k") + bytes(8) + number(0),
            number(1),
            b"abc",
            sized_list([number(1) + text(b"x"), number(2) + text(b"y"), number(3) + text(b"z")]),
            text(b"path"),
            number(1) + b"abc",
            b"\x01",
            bytes(4),
            number(0) + number(12),
        ]
    )
    batch = read(avro(schema, [(2, entry * 2), (0, b""), (1, entry)]), "file_path", "record_count")
    assert batch.to_pylist() == [{"file_path": "path", "record_count": 12}] * 3


def test_a_manifest_of_no_entries_gives_no_rows() -> None:
    assert read(avro(manifest_of(field(100, "string")), [])).num_rows == 0


def test_lists_and_maps_may_come_in_many_blocks() -> None:
    schema = manifest_of(
        field(132, {"type": "array", "items": "long"}),
        field(
            125,
            {
                "type": "array",
                "logicalType": "map",
                "items": record("kv", field(126, "int", "key"), field(127, "bytes", "value")),
            },
        ),
    )
    splits = list(range(-3, 4))
    bounds = [(at, bytes([at])) for at in range(5)]
    entry = (
        number(0)
        + sized_list([number(one) for one in splits])
        + sized_list([number(key) + text(value) for key, value in bounds])
    )
    batch = read(avro(schema, [(1, entry)]), "split_offsets", "lower_bounds")
    assert batch.to_pylist() == [{"split_offsets": splits, "lower_bounds": bounds}]


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@given(
    paths=st.lists(
        st.text() | st.builds(lambda part, count: part * count, st.text(), st.integers(0, 3000)),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=40)
def test_whatever_zlib_deflates_is_inflated(level: int, paths: list[str]) -> None:
    schema = manifest_of(field(100, "string"))
    block = b"".join(number(1) + text(path.encode()) for path in paths)
    file = avro(schema, [(len(paths), block)], b"deflate", deflated(level))
    assert read(file, "file_path").column(0).to_pylist() == paths
    # Some writers leave a part of a checksum behind the stream.
    file = avro(
        schema, [(len(paths), block)], b"deflate", lambda one: deflated(level)(one) + b"abc"
    )
    assert read(file, "file_path").column(0).to_pylist() == paths


def test_a_large_block_of_noise_is_inflated() -> None:
    path = random.Random(3).randbytes(150_000).hex()
    schema = manifest_of(field(100, "string"))
    for level in (0, 1, 9):
        block = number(1) + text(path.encode())
        file = avro(schema, [(1, block)], b"deflate", deflated(level))
        assert read(file, "file_path").column(0).to_pylist() == [path]


def test_field_names_that_avro_forbids_are_restored() -> None:
    part = field(1000, "int", "a_x20b") | {"iceberg-field-name": "a b"}
    schema = manifest_of(field(102, record("r102", part)))
    batch = read(avro(schema, [(1, number(1) + number(5))]), "partition")
    assert batch.to_pylist() == [{"partition": {"a b": 5}}]


ONE = manifest_of(field(100, "string"))
NESTED: object = "int"
for _ in range(100):
    NESTED = {"type": "array", "items": NESTED}
BLOWN_UP = [record("r0", field(1, "int"))]
for _at in range(30):
    BLOWN_UP.append(record(f"r{_at + 1}", field(1, f"r{_at}", "a"), field(2, f"r{_at}", "b")))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"Obj",
        b"Obj\x01",
        b"PAR1" + bytes(100),
        avro(ONE, [(1, number(1) + text(b"path"))], b"zstandard"),
        avro(ONE, [(2, number(1) + text(b"path"))]),
        avro(ONE, [(1, number(1) + text(b"path") + b"more")]),
        avro(ONE, [(-1, number(1) + text(b"path"))]),
        avro(ONE, [(2**62, number(1) + text(b"path"))]),
        avro(ONE, [(1, number(1) + text(b"\xff\xfe"))]),
        avro(ONE, [(1, number(1) + number(-5))]),
        avro(ONE, [(1, number(1) + number(2**62))]),
        avro(ONE, [(1, number(2**40) + text(b"path"))]),
        avro(ONE, [(1, b"\xff" * 30)]),
        avro(ONE, [(1, number(1) + text(b"path"))], b"deflate"),
        avro(ONE, [(1, number(1) + text(b"path"))])[:-1],
        avro(ONE, [(1, number(1) + text(b"path"))])[:-1] + b"x",
        avro("int", []),
        avro(record("e", field(0, "int")), []),
        avro(record("e", field(2, ["null", record("d")])), []),
        avro(record("e", field(2, "int")), []),
        avro(manifest_of(field(100, "int")), []),
        avro(manifest_of(field(100, "string"), field(100, "string")), []),
        avro(manifest_of(field(102, ["null", record("p", field(1, "int"))])), []),
        avro(manifest_of(field(102, record("p", field(1, {"type": "array", "items": "int"})))), []),
        avro(manifest_of(field(108, {"type": "array", "items": record("x")})), [(1, b"\0\2\0\0")]),
        avro(manifest_of(field(100, "unheard_of")), []),
        avro(manifest_of(field(900, NESTED)), []),
        avro(record("e", field(0, "int"), field(2, "e")), []),
        avro(record("e", field(2, BLOWN_UP)), []),
        avro(manifest_of(field(900, {"type": "fixed", "name": "f", "size": -1})), []),
        avro(
            manifest_of(field(900, {"type": "array", "items": "null"})),
            [(1, b"\2" + number(2**40))],
        ),
        avro({}, []),
        avro(None, []),
    ],
)
def test_what_is_no_manifest_gives_one_clear_error(file: bytes) -> None:
    with pytest.raises(UsageError):
        native.read_manifest(file)


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_torn_or_altered_manifest_never_does_more_than_raise(tmp_path: Path, codec: str) -> None:
    # Any number is an integer, but not any a time of the day or a decimal of nine digits.
    kinds = [kind for kind in PARTITION if not isinstance(kind, types.TimeType | types.DecimalType)]
    file = written(tmp_path, 2, codec, 6, kinds).read_bytes()
    for end in range(0, len(file), 7):
        try:
            assert len(native.read_manifest(file[:end])) < 6
        except UsageError:
            continue
    source = random.Random(1)
    for _ in range(3000):
        altered = bytearray(file)
        for _ in range(source.randrange(1, 4)):
            altered[source.randrange(len(file))] = source.randrange(256)
        try:
            pa.record_batch(native.read_manifest(altered)).validate(full=True)
        except UsageError:
            continue


@pytest.mark.parametrize("columns", [("files",), ("status", "status"), ("",)])
def test_columns_that_are_not_there_or_wanted_twice_are_refused(columns: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        native.read_manifest(avro(ONE, []), columns)
