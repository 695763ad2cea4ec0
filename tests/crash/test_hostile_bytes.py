"""Whatever bytes come from outside: they are taken or refused, soon, and in little memory."""

from __future__ import annotations

import bz2
import io
import lzma
from datetime import timedelta

import pyarrow
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from outside import doors
from outside_tables import SYNC, avro, table_doors
from rotting import IS_LONG

from flowkit.table.avro import unpacked
from flowkit.table.text_files import json_schema, open_json

DOORS = {**doors(), **table_doors()}
NUMBERS = [
    b"-1",
    b"0",
    b"1e999",
    b"9" * 400,
    b"9" * 5000,
    b"18446744073709551616",
    b"NaN",
    b"null",
    b'""',
]
FOUND = {
    "hive type": (b"decimal(0,2)", b"decimal(2,3)", b"decimal(39)", b"decimal(%s)" % (b"9" * 5000)),
    "log": (b"9" * 5000 + b" o x\n",),
    "filter": tuple(name + b" > " + b"9" * 5000 for name in (b"a", b"b", b"d", b"e", b"f")),
    "settings": (b"~\1", b"~nobody-at-all/here"),
}
"""What once was neither taken nor refused."""
# Arrow tells of a row that is no text, which it shows to a function of ours, in this way alone.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CALM = settings(
    max_examples=2000 if IS_LONG else 40,
    deadline=timedelta(seconds=20),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not IS_LONG,
    database=None,
)


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Draw bytes that some reader takes, and change them in some places."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        stop = min(len(data), at + draw(st.integers(0, 8)))
        match draw(st.sampled_from("bitcrnd")):
            case "b" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "i":
                data[at:at] = draw(st.binary(max_size=8))
            case "t":
                del data[at:]
            case "c":
                data[at:stop] = data[stop : stop + 8]
            case "r":
                data[at:at] = data[at:stop] * draw(st.integers(1, 200))
            case "n":
                data[at:stop] = draw(st.sampled_from(NUMBERS))
            case "d":
                data[at:at] = draw(st.sampled_from([b"[", b"{", b"(", b'{"a":'])) * 5000
    return bytes(data)


@pytest.mark.parametrize("name", DOORS)
def test_bytes_that_are_changed_are_taken_or_refused(name: str) -> None:
    door = DOORS[name]
    for seed in door.seeds:
        door.read(seed)
    for data in FOUND.get(name, ()):
        door.knock(data)

    @CALM
    @given(changed(door.seeds))
    @example(b"")
    @example(b"\0")
    def knock(data: bytes) -> None:
        door.knock(data)

    knock()


@pytest.mark.parametrize("name", DOORS)
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    @CALM
    @given(st.binary(max_size=400))
    def knock(data: bytes) -> None:
        DOORS[name].knock(data)

    knock()


@pytest.mark.parametrize("codec", ["bzip2", "xz", "zstandard"])
def test_a_file_of_iceberg_is_not_unpacked_without_end(codec: str) -> None:
    zeros = bytes(1 << 20)
    pack = {"bzip2": bz2.compress, "xz": lzma.compress, "zstandard": zstandard.compress}[codec]
    one = avro({"type": "record", "name": "r", "fields": []}, pack(zeros), codec=codec)
    head, sync = one[: one.index(SYNC)], SYNC
    block = one[len(head) + len(sync) :]
    assert len(unpacked(head + sync + block * 3, most=3 << 20)) > 3 << 20
    with pytest.raises(ValueError, match="too large"):
        unpacked(head + sync + block * 4, most=3 << 20)


def test_lines_of_json_may_start_with_null() -> None:
    with pytest.raises(pyarrow.ArrowInvalid):
        json_schema(io.BytesIO(b" null\n"))
    for text in (b"null\n", b'\tnull\n{"a": 1}\n', b'null\n{"A": 1}\n'):
        types = {"a": pyarrow.int64()}
        file = open_json(lambda text=text: io.BytesIO(text), "f.json", types, 1 << 16)
        rows = [row for batch in file.batches(["a"], 9) for row in batch.column("a").to_pylist()]
        assert rows == [None, 1][: text.count(b"\n")]
