"""`DataFrame`: in and out of other libraries without a copy, and as an artifact."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy
import pandas
import polars
import pyarrow
import pytest

from flowkit import DataFrame, UsageError
from flowkit.store import Store, open_storage
from flowkit.table import UnknownColumn
from flowkit.testing import MemoryStorage

TABLE = pyarrow.table(
    {
        "id": pyarrow.array(range(1000), "int64"),
        "kind": pyarrow.array([f"k{at % 3}" for at in range(1000)], "large_string"),
        "price": pyarrow.array([None if at % 10 == 0 else at / 2 for at in range(1000)]),
    }
)


def address(column: pyarrow.ChunkedArray) -> int:
    """Where the values of a column's first chunk are in memory."""
    return int(column.chunk(0).buffers()[-1].address)


class Stranger:
    """Something that speaks the capsule protocol and nothing else."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        Stranger(TABLE),
        polars.DataFrame(TABLE),
        TABLE.to_pandas(),
        TABLE.to_pydict(),
        TABLE.combine_chunks().to_batches()[0],
        DataFrame(TABLE),
        TABLE.to_reader(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_it_is_made_from_whatever_speaks_arrow(data: object) -> None:
    frame = DataFrame(data)
    assert len(frame) == 1000
    assert frame.columns == ["id", "kind", "price"]
    assert frame.to_arrow().to_pydict()["kind"] == TABLE.to_pydict()["kind"]


def test_it_is_made_from_a_relation_of_duckdb() -> None:
    assert len(DataFrame(duckdb.sql("select 1 as one"))) == 1


@pytest.mark.parametrize("data", [7, "text", [1, 2], None, {"a": [1], "b": [1, 2]}])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(UsageError, match="table"):
        DataFrame(data)


def test_nothing_is_copied_on_the_way_in_and_out() -> None:
    frame = DataFrame(TABLE)
    assert frame.to_arrow() is TABLE
    for taken in (
        DataFrame(Stranger(TABLE)).to_arrow(),
        pyarrow.table(frame),
        pyarrow.RecordBatchReader.from_stream(frame).read_all(),
        DataFrame(polars.DataFrame({"id": range(9)})).to_polars().to_arrow(),
    ):
        assert taken.num_rows
    for name in TABLE.column_names:
        assert address(DataFrame(Stranger(TABLE))[name]) == address(TABLE[name])
        assert address(pyarrow.table(frame)[name]) == address(TABLE[name])
    numbers = frame.to_polars()["id"].to_numpy()
    assert numbers.__array_interface__["data"][0] == address(TABLE["id"])


def test_pandas_copies_just_the_columns_that_are_said_to_be_copied() -> None:
    table = TABLE.append_column("ok", pyarrow.array([True] * 1000)).append_column(
        "at", pyarrow.array(range(1000), pyarrow.timestamp("us"))
    )
    frame = DataFrame(table)
    made = frame.to_pandas()
    shared = []
    for name in frame.columns:
        values = made[name].array
        if hasattr(values, "_pa_array"):
            where = address(values._pa_array)
        else:
            where = numpy.asarray(values).__array_interface__["data"][0]
        if where == address(table[name]):
            shared.append(name)
    assert set(frame.columns) - set(shared) == set(frame.pandas_copies())
    assert set(frame.pandas_copies()) == {"price", "ok"}
    assert "nulls" in frame.pandas_copies()["price"]
    chunked = DataFrame(pyarrow.concat_tables([TABLE, TABLE])).pandas_copies()
    assert "2 chunks" in chunked["id"]


def test_sql_asks_duckdb_about_this() -> None:
    answer = DataFrame(TABLE).sql("select kind, count(*) as n from this group by all order by all")
    assert answer.to_arrow().to_pydict() == {"kind": ["k0", "k1", "k2"], "n": [334, 333, 333]}


@pytest.mark.parametrize(
    "query", ["selekt 1", "select nothing from this", "select * from '/etc/passwd'", "set a = 1"]
)
def test_a_query_that_duckdb_does_not_take_is_an_error(query: str) -> None:
    with pytest.raises(UsageError, match=r"DuckDB|no rows"):
        DataFrame(TABLE).sql(query)


def test_a_query_sees_no_variables_of_python() -> None:
    secret = pyarrow.table({"a": [1]})
    with pytest.raises(UsageError, match="secret"):
        DataFrame(TABLE).sql("select * from secret")
    assert len(secret) == 1


def test_columns_are_picked_by_name() -> None:
    frame = DataFrame(TABLE)
    assert frame["id"][3].as_py() == 3
    assert frame[["price", "id"]].columns == ["price", "id"]
    with pytest.raises(UnknownColumn, match="`prize`"):
        frame["prize"]


def test_partitions_have_all_rows_in_their_order() -> None:
    frame = DataFrame(
        {"kind": ["b", None, "a", "b", None], "on": [True, True, None, True, True], "id": range(5)}
    )
    parts = {key: part["id"].to_pylist() for key, part in frame.partition_by("kind", "on")}
    assert parts == {("a", None): [2], ("b", True): [0, 3], (None, True): [1, 4]}
    assert list(DataFrame({"a": []}).partition_by("a")) == []
    assert len(list(DataFrame({"a": [1]}).partition_by("a"))) == 1


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ([float("nan"), 1.0, None, float("nan")], ["1.0", "nan", "None"]),
        (pyarrow.array([float("nan"), 1.0], pyarrow.float16()), ["1.0", "nan"]),
        ([None, None], ["None"]),
        (pyarrow.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        (pyarrow.array(["b", "a", None], pyarrow.string_view()), ["a", "b", "None"]),
        (pyarrow.array([b"b", b"a"], pyarrow.binary_view()), ["b'a'", "b'b'"]),
        (polars.Series(["b", "a", "b"], dtype=polars.Categorical), ["a", "b"]),
    ],
    ids=["floats", "halves", "nulls", "dictionary", "text", "bytes", "polars"],
)
def test_each_value_of_any_plain_type_has_one_partition(values: Any, keys: list[str]) -> None:
    frame = DataFrame(
        polars.DataFrame({"a": values}) if hasattr(values, "dtype") else {"a": values}
    )
    parts = list(frame.partition_by("a"))
    assert [str(key) for (key,), _ in parts] == keys
    assert sum(len(part) for _, part in parts) == len(values)


def test_text_of_polars_goes_everywhere() -> None:
    rows = [
        {"a": "x", "list": ["y", None], "in": {"b": "z"}, "raw": b"r"},
        {"a": None, "list": None, "in": {"b": None}, "raw": None},
    ]
    frame = DataFrame(polars.DataFrame(rows))
    assert frame.schema.field("a").type == pyarrow.string_view()
    assert frame.sample(2, seed=1).to_arrow().to_pylist() == rows
    assert [part.to_arrow().to_pylist() for _, part in frame.partition_by("a")] == [
        [row] for row in rows
    ]
    assert list(frame.to_pandas()["list"].iloc[0]) == ["y", None]
    assert frame.to_polars().to_dicts() == rows
    assert pickle.loads(pickle.dumps(frame)) == frame


@pytest.mark.parametrize(
    "use",
    [
        lambda frame: frame[5],
        lambda frame: frame[["a", 5]],
        lambda frame: frame.sample(-1, seed=1),
        lambda frame: frame.sample("1", seed=1),
        lambda frame: list(frame.partition_by()),
        lambda frame: list(frame.partition_by("lists")),
        lambda frame: list(frame.partition_by("structs")),
        lambda _: DataFrame.read(5),
        lambda _: DataFrame(pyarrow.table([[1], [2]], names=["a", "a"])),
        lambda _: DataFrame(pandas.DataFrame({"a": [1, "x"]})),
        lambda _: DataFrame(pandas.DataFrame([[1, 2]], columns=["a", "a"])),
    ],
)
def test_what_makes_no_sense_is_refused(use: Callable[[Any], object]) -> None:
    with pytest.raises(UsageError) as caught:
        use(DataFrame({"a": [1], "lists": [[1]], "structs": [{"b": 1}]}))
    assert caught.value.hint


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    frame = DataFrame(TABLE)
    assert frame.sample(10, seed=1) == frame.sample(10, seed=1)
    assert frame.sample(10, seed=1) != frame.sample(10, seed=2)
    assert frame.sample(5000, seed=1) == frame
    assert len(frame.head(3)) == 3


def test_a_pickle_has_the_same_rows() -> None:
    assert pickle.loads(pickle.dumps(DataFrame(TABLE))) == DataFrame(TABLE)


def test_a_pickle_of_some_rows_is_small() -> None:
    frame = DataFrame({"id": range(1_000_000), "name": pyarrow.array(["x"] * 1_000_000)})
    [(_, first), *_] = DataFrame({"id": range(1_000_000)}).partition_by("id")
    for some in (frame.head(2), DataFrame(frame.to_arrow().slice(500_000, 2)), first):
        for protocol in (4, 5):
            data = pickle.dumps(some, protocol)
            assert len(data) < 2_000
            assert pickle.loads(data) == some


def test_people_see_rows_columns_and_how_many_there_are() -> None:
    frame = DataFrame({"n": [1, 20], "name": ["<b>", None], "x": [0.1234567891, 2.0]})
    assert repr(frame).splitlines() == [
        " n | name |        x",
        "---+------+---------",
        " 1 | <b>  | 0.123457",
        "20 | -    |        2",
        "2 rows",
    ]
    html = frame._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<caption>2 rows</caption>" in html
    wide = DataFrame({f"column_{at}": [at] for at in range(30)})
    assert "and columns `column_" in repr(wide)
    assert all(len(line) <= 100 for line in repr(wide).splitlines()[:-1])
    assert repr(DataFrame({})) == "\n0 rows"


def test_what_is_shown_does_not_steer_a_terminal() -> None:
    shown = repr(DataFrame({"a\x1b[1m": ["\x1b[2J\x07x", "\u202ecod.exe"]}))
    assert shown.splitlines() == [
        "a\\x1b[1m",
        "-------------",
        "\\x1b[2J\\x07x",
        "\\u202ecod.exe",
        "2 rows",
    ]


def test_as_an_artifact_it_is_stored_once_and_mapped_back(tmp_path: Path) -> None:
    store = Store(open_storage(str(tmp_path / "store"), sync=False))
    big = pyarrow.table({"x": pyarrow.array(numpy.arange(200_000))})
    writer = store.write_manifest()
    entry = writer.add("frame", DataFrame(big))
    again = writer.add("again", DataFrame(big))
    manifest = store.manifest(writer.commit())
    assert entry.tag == "frame"
    assert entry.digest == again.digest
    loaded: Any = store.load(manifest.artifacts["frame"])
    assert loaded == DataFrame(big)
    place = address(loaded["x"])
    with open("/proc/self/maps", encoding="utf-8") as maps:
        mapped = [line for line in maps if str(tmp_path) in line]
    ranges = [line.split(" ")[0].split("-") for line in mapped]
    assert any(int(low, 16) <= place < int(high, 16) for low, high in ranges)


def test_rows_without_columns_are_kept_as_well() -> None:
    store = Store(MemoryStorage())
    writer = store.write_manifest()
    bare = DataFrame(pyarrow.table({"a": [1, 2]}).select([]))
    assert writer.add("bare", bare).tag == "pickle"


def test_pandas_keeps_no_index_as_a_column() -> None:
    frame = pandas.DataFrame({"a": [1, 2]}, index=[7, 8])
    assert DataFrame(frame).columns == ["a"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_not_installed_is_named(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match=f"{library} is not installed") as raised:
        getattr(DataFrame({"id": [1]}), f"to_{library}")()
    assert raised.value.hint == f"run `pip install {library}`"
