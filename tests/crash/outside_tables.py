"""What reads tables' files and texts from outside: Iceberg's metadata, Hive's types, filters."""

from __future__ import annotations

import bz2
import io
import json
from functools import partial
from typing import Any

import pyarrow
from outside import Door, as_text

from flowkit import native
from flowkit.table.avro import codec_of, unpacked
from flowkit.table.filters import parse_filter
from flowkit.table.formats import FileFormat
from flowkit.table.hive.hive_types import type_of
from flowkit.table.hive.keys import infer_type, pairs_of
from flowkit.table.json_keys import Respelling
from flowkit.table.manifests import ManifestBytes, read_entries, read_list
from flowkit.table.projection import Unlike
from flowkit.table.reachable import place_of
from flowkit.table.shards import Shard
from flowkit.table.text_files import csv_schema, json_schema, open_csv, open_json

SYNC = bytes(range(16))
Refusals = tuple[type[Exception], ...]
TEXT_REFUSALS: Refusals = (Unlike, pyarrow.ArrowInvalid, OSError)


def avro(schema: dict[str, Any], row: bytes, *, codec: str = "null") -> bytes:
    """Return an Avro file of one record."""

    def number(value: int) -> bytes:
        value <<= 1
        out = bytearray()
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        return bytes([*out, value])

    def sized(data: bytes) -> bytes:
        return number(len(data)) + data

    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    head = b"".join(sized(key.encode()) + sized(value) for key, value in meta.items())
    return b"Obj\x01" + number(len(meta)) + head + b"\0" + SYNC + number(1) + sized(row) + SYNC


def _record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def _list_file() -> bytes:
    fields = [
        {"name": "manifest_path", "type": "string", "field-id": 500},
        {"name": "manifest_length", "type": "long", "field-id": 501},
        {"name": "partition_spec_id", "type": "int", "field-id": 502},
    ]
    return avro(_record("manifest_file", *fields), b"\x06a/b\x08\x02")


def _manifest_file() -> bytes:
    inner = [
        {"name": "content", "type": "int", "field-id": 134},
        {"name": "file_path", "type": "string", "field-id": 100},
        {"name": "file_format", "type": "string", "field-id": 101},
        {
            "name": "partition",
            "field-id": 102,
            "type": {"type": "record", "name": "r102", "fields": []},
        },
        {"name": "record_count", "type": "long", "field-id": 103},
        {"name": "file_size_in_bytes", "type": "long", "field-id": 104},
    ]
    fields = [
        {"name": "status", "type": "int", "field-id": 0},
        {
            "name": "data_file",
            "field-id": 2,
            "type": {"type": "record", "name": "r2", "fields": inner},
        },
    ]
    schema = _record("manifest_entry", *fields)
    return avro(schema, b"\x02\x00\x06a/b\x0ePARQUET\x08\x02")


def _manifest(data: bytes) -> None:
    read_entries(ManifestBytes("m.avro", data, "a.b"), ["status", "file_path", "record_count"])


def _list(data: bytes) -> None:
    read_list(ManifestBytes("l.avro", data, "a.b"))


def _unpack(data: bytes) -> None:
    codec_of(data)
    unpacked(data)


def _chunks(data: bytes) -> None:
    found = native.chunk_boundaries(data, min_size=64, average_size=256, max_size=1024)
    assert sum(1 for _ in found) <= len(data) // 64 + 1


def _csv(delimiter: str, escape: str | None, data: bytes) -> None:
    format = FileFormat(kind="csv", columns=("a", "b"), delimiter=delimiter, escape=escape)
    csv_schema(io.BytesIO(data), format)
    types = {"a": pyarrow.int64(), "b": pyarrow.large_string()}
    file = open_csv(lambda: pyarrow.BufferReader(data), "f.csv", format, types, 1 << 16)
    for batch in file.batches(["a", "b"], 100):
        batch.validate(full=True)


def _json_lines(data: bytes) -> None:
    json_schema(io.BytesIO(data))
    inner = pyarrow.struct([("c", pyarrow.int64()), ("d", pyarrow.timestamp("us"))])
    types = {"a": pyarrow.int64(), "b": pyarrow.large_list(pyarrow.large_string()), "s": inner}
    file = open_json(lambda: pyarrow.BufferReader(data), "f.json", types, 1 << 16)
    for batch in file.batches(["a", "b", "s"], 100):
        batch.validate(full=True)


def _filter(text: str) -> None:
    from pyiceberg.schema import Schema
    from pyiceberg.types import DateType, DecimalType, DoubleType, LongType, NestedField, StringType

    kinds = {
        "a": LongType(),
        "b": StringType(),
        "d": DateType(),
        "e": DecimalType(9, 2),
        "f": DoubleType(),
    }
    fields = [
        NestedField(at, name, kind, required=False)
        for at, (name, kind) in enumerate(kinds.items(), 1)
    ]
    parse_filter(text, Schema(*fields), table="a.b")


def _keys(text: str) -> None:
    pairs = pairs_of(text.split("/"), table="a.b")
    infer_type([value for _, value in pairs])


def _shard(text: str) -> None:
    shard = Shard.from_json(text)
    assert Shard.from_json(shard.to_json()) == shard
    repr(shard)


def table_doors() -> dict[str, Door]:
    """Return these doors by name."""
    packed = avro(_record("r"), bz2.compress(b"rows"), codec="bzip2")
    return {
        "iceberg manifest": Door(_manifest, (_manifest_file(),)),
        "iceberg manifest list": Door(_list, (_list_file(),)),
        "avro codecs": Door(_unpack, (packed,), (ValueError, KeyError)),
        "native chunks": Door(_chunks, (b"some bytes" * 200,)),
        "csv": Door(partial(_csv, ",", None), (b"1,x\n2,y\n",), TEXT_REFUSALS),
        "escaped text": Door(
            partial(_csv, "\x01", "\\"), (b"1\x01x\\\x01y\n2\x01\\N\n",), TEXT_REFUSALS
        ),
        "json lines": Door(
            _json_lines,
            (b'{"a":1,"b":["x"],"s":{"c":1,"d":"2024-05-01 10:00:00"}}\n{"A":null}\n',),
            TEXT_REFUSALS,
        ),
        "json keys": Door(Respelling({"ab": "aB"}).apply, (b'{"AB": 1, "x": "AB"}',)),
        "hive type": Door(
            as_text(partial(type_of, column="c", table="a.b")),
            (b"map<string,array<int>>", b"struct<a:decimal(10,2),b:varchar(5)>"),
        ),
        "hive keys": Door(as_text(_keys), (b"day=2026-11-26/shop=a%2Fb", b"n=12")),
        "filter": Door(
            as_text(_filter),
            (
                b"a > 5 and b in ('x', 'y')",
                b"not (d < '2024-01-01') or e between 1.5 and 2",
                b"f is nan",
            ),
        ),
        "location": Door(as_text(place_of), (b"s3://bucket/key", b"file:/a", b"C:/x")),
        "shard": Door(
            as_text(_shard),
            (b'{"table":"a.b","catalog":"c","snapshot":1,"schema":"","width":1,"parts":[]}',),
        ),
    }
