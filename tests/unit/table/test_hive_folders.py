"""Folders `key=value/` as tables, beside pyarrow's and DuckDB's own reading of them."""

from __future__ import annotations

import gzip
import pickle
import shutil
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit import DataFrame, Table, UsageError
from flowkit.table import (
    DataFileDamaged,
    DataFileMissing,
    DataFileUnlike,
    PartitionsInvalid,
    ReadOnlyTable,
    Shard,
    UnknownColumn,
    UnknownSnapshot,
)

KINDS = ["parquet", "orc", "csv", "json"]
Write = Callable[[Path, pyarrow.Table, str], None]
LayOut = Callable[[Path, pyarrow.Table, Sequence[str], str], None]

ROWS = pyarrow.table(
    {
        "id": pyarrow.array(range(600), "int64"),
        "name": [None if at % 7 == 0 else f"n {at}, “x”" for at in range(600)],
        "price": [at / 3 for at in range(600)],
        "seen": [datetime(2026, 1, 1, at % 24, 30) for at in range(600)],
        "day": [date(2026, 1, 1 + at % 5) for at in range(600)],
        "shop": [["a/b", "c:d e", None, "é%=x"][at % 4] for at in range(600)],
    }
)


def rows_of(table: pyarrow.Table) -> list[dict[str, object]]:
    """Return rows in the order of their ids."""
    rows: list[dict[str, object]] = table.sort_by("id").to_pylist()
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_read_as_any_table(kind: str, tmp_path: Path, laying_out: LayOut) -> None:
    laying_out(tmp_path, ROWS, ["day", "shop"], kind)
    table = Table.folder(tmp_path)
    assert table.columns == ["id", "name", "price", "seen", "day", "shop"]
    assert table.partition == ["day", "shop"]
    assert (table.name, table.catalog, table.snapshot) == (str(tmp_path), "", None)
    assert table.schema.field("day").type == pyarrow.date32()
    scan = table.scan()
    assert rows_of(scan.to_arrow()) == rows_of(ROWS)
    assert scan.count() == 600
    assert len(scan.to_pandas()) == len(scan.to_polars()) == 600
    assert scan.sql("select count(distinct shop) as n from this").to_arrow()["n"][0].as_py() == 3
    where = "shop = 'c:d e' and day > '2026-01-02' and id < 300 and name is not null"
    found = table.scan(columns=["shop", "id"], where=where)
    wanted = ROWS.filter(
        (pc.field("shop") == "c:d e")
        & (pc.field("day") > date(2026, 1, 2))
        & (pc.field("id") < 300)
        & pc.field("name").is_valid()
    )
    assert found.to_arrow().column_names == ["shop", "id"]
    assert rows_of(found.to_arrow()) == rows_of(wanted.select(["shop", "id"]))
    assert found.count() == len(wanted)
    assert len(table.scan(limit=10).to_arrow()) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_only_keys_may_be_asked_for(kind: str, tmp_path: Path, laying_out: LayOut) -> None:
    laying_out(tmp_path, ROWS, ["day"], kind)
    scan = Table.folder(tmp_path).scan(columns=["day"], where="day >= '2026-01-04'")
    assert scan.to_arrow()["day"].value_counts().to_pylist() == [
        {"values": date(2026, 1, 4), "counts": 120},
        {"values": date(2026, 1, 5), "counts": 120},
    ]
    assert scan.count() == sum(map(len, scan.batches())) == 240


@pytest.mark.parametrize("kind", KINDS)
def test_shards_are_small_the_same_each_time_and_hold_each_row_once(
    kind: str, tmp_path: Path, laying_out: LayOut
) -> None:
    laying_out(tmp_path, ROWS, ["day", "shop"], kind)
    scan = Table.folder(tmp_path).scan(where="id >= 100 and shop is not null")
    shards = scan.shards(4)
    assert len(shards) == 4
    assert shards == Table.folder(tmp_path).scan(where="id >= 100 and shop is not null").shards(4)
    again: list[Shard] = pickle.loads(pickle.dumps(shards))
    assert again == [Shard.from_json(one.to_json()) for one in shards] == shards
    parts = [DataFrame.read(one, columns=["id", "shop"]).to_arrow() for one in again]
    assert rows_of(pyarrow.concat_tables(parts)) == rows_of(scan.to_arrow().select(["id", "shop"]))
    assert all(one.rows is None and one.size_bytes for one in shards)
    assert len(pickle.dumps(shards[0])) < 6_000


def test_a_large_file_is_cut_between_its_row_groups(tmp_path: Path) -> None:
    rows = pyarrow.table({"id": range(20_000)})
    pyarrow.parquet.write_table(rows, tmp_path / "a.parquet", row_group_size=1000)
    shards = Table.folder(tmp_path).scan().shards(5)
    found = [DataFrame.read(one).to_arrow()["id"].to_pylist() for one in shards]
    assert sorted(map(len, found)) == [4000] * 5
    assert sorted(chain.from_iterable(found)) == list(range(20_000))
    assert Table.folder(tmp_path).scan(where="id = 4321").count() == 1


FILTERS = [
    "year = 2013",
    "year = 2013 and month in (1, 3)",
    "year != 2013 or carrier = 'AA'",
    "carrier is null",
    "carrier is not null and delay > 50",
    "month >= 2 and (delay < 10 or year = 2014)",
    "carrier like 'A%'",
    "not (year = 2013 and carrier = 'AA')",
    "month not in (1, 2)",
]


@pytest.fixture
def flights(tmp_path: Path) -> Path:
    """Flights by year, month and carrier, as pyarrow writes them."""
    count = 2_000
    rows = pyarrow.table(
        {
            "year": [2012 + at % 3 for at in range(count)],
            "month": [1 + at % 4 for at in range(count)],
            "carrier": [["AA", "U A/1", None, "B6"][at // 7 % 4] for at in range(count)],
            "id": range(count),
            "delay": [None if at % 11 == 0 else at % 97 for at in range(count)],
        }
    )
    pyarrow.dataset.write_dataset(
        rows,
        tmp_path / "flights",
        format="parquet",
        partitioning=pyarrow.dataset.partitioning(
            pyarrow.schema([rows.schema.field(one) for one in ("year", "month", "carrier")]),
            flavor="hive",
        ),
    )
    return tmp_path / "flights"


@pytest.mark.parametrize("where", FILTERS)
def test_rows_are_those_that_pyarrow_and_duckdb_find(where: str, flights: Path) -> None:
    scan = Table.folder(flights).scan(where=where)
    ids = sorted(scan.to_arrow()["id"].to_pylist())
    asked = duckdb.sql(
        f"select id from read_parquet('{flights}/**/*.parquet', hive_partitioning = true) "
        f"where {where} order by id"
    )
    assert ids == [row[0] for row in asked.fetchall()]
    assert scan.count() == len(ids)
    everything = pyarrow.dataset.dataset(flights, partitioning="hive").to_table()
    names = everything.column_names
    mine = Table.folder(flights).scan(columns=names).to_arrow()
    assert mine.schema.names == names
    assert rows_of(mine) == rows_of(everything)


@pytest.mark.parametrize("where", FILTERS)
def test_a_plan_lists_the_partitions_that_may_have_rows(where: str, flights: Path) -> None:
    plan = Table.folder(flights).scan(where=where).plan()
    listed = {tuple(one.partition.items()) for one in plan.files}
    asked = duckdb.sql(
        "select distinct year, month, carrier from "
        f"read_parquet('{flights}/**/*.parquet', hive_partitioning = true) "
        f"where {where.replace('delay < 10', 'true').replace('delay > 50', 'true')}"
    )
    keys = ("year", "month", "carrier")
    assert listed == {tuple(zip(keys, row, strict=True)) for row in asked.fetchall()}
    assert plan.rows is None
    assert plan.size_bytes == sum(Path(one.path).stat().st_size for one in plan.files)


def test_files_of_partitions_that_cannot_match_are_not_opened(
    tmp_path: Path, laying_out: LayOut
) -> None:
    laying_out(tmp_path, ROWS, ["day"], "parquet")
    table = Table.folder(tmp_path)
    (tmp_path / "day=2026-01-03/part-0.parquet").write_bytes(b"this is not Parquet")
    assert table.scan(where="day != '2026-01-03'").count() == 480
    with pytest.raises(DataFileDamaged, match=r"day=2026-01-03/part-0\.parquet"):
        table.scan().count()


def test_row_groups_that_cannot_match_are_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "k=1/a.parquet"
    path.parent.mkdir()
    rows = pyarrow.table({"id": range(4000), "text": [f"text {at}" for at in range(4000)]})
    pyarrow.parquet.write_table(rows, path, row_group_size=1000, use_dictionary=False)
    table = Table.folder(tmp_path)
    columns = pyarrow.parquet.read_metadata(path).row_group(0)
    with path.open("r+b") as file:
        for at in range(2):
            file.seek(columns.column(at).data_page_offset)
            file.write(b"\xff" * columns.column(at).total_compressed_size)
    assert table.scan(where="id >= 1000").to_arrow()["id"].to_pylist() == list(range(1000, 4000))
    with pytest.raises(DataFileDamaged):
        table.scan(where="id >= 999").to_arrow()


def test_hidden_files_are_ignored(tmp_path: Path, laying_out: LayOut) -> None:
    laying_out(tmp_path, ROWS, ["day"], "parquet")
    for name in (
        "_SUCCESS",
        ".part-0.parquet.crc",
        "part-0.parquet.crc",
        "_temporary/0/part-9.parquet",
        ".hive-staging_1/part-9.parquet",
        "day=2026-01-01/.part-1.parquet",
        "day=2026-01-01/_metadata",
        "day=2026-01-01_$folder$",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"this is not Parquet")
    (tmp_path / "day=2026-01-01/empty.parquet").touch()
    assert Table.folder(tmp_path).scan().count() == 600


def test_a_key_may_begin_with_an_underscore(tmp_path: Path, writing: Write) -> None:
    writing(tmp_path / "_year=2026/a.parquet", pyarrow.table({"id": [1]}), "parquet")
    assert Table.folder(tmp_path).scan().to_arrow().to_pylist() == [{"id": 1, "_year": 2026}]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_came_later_are_null_in_older_files(
    kind: str, tmp_path: Path, writing: Write
) -> None:
    old = pyarrow.table({"id": pyarrow.array([1], "int32"), "gone": ["x"]})
    new = pyarrow.table({"more": [0.5], "id": pyarrow.array([1 << 40], "int64")})
    writing(tmp_path / f"day=2026-01-01/a.{kind}", old, kind)
    writing(tmp_path / f"day=2026-01-02/a.{kind}", new, kind)
    table = Table.folder(tmp_path)
    assert table.columns == ["id", "gone", "more", "day"]
    assert table.scan(columns=["id", "gone", "more"]).to_arrow().sort_by("id").to_pylist() == [
        {"id": 1, "gone": "x", "more": None},
        {"id": 1 << 40, "gone": None, "more": 0.5},
    ]
    assert table.scan(where="more is null").count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_another_type_is_named(kind: str, tmp_path: Path, writing: Write) -> None:
    for day, value in enumerate([1, "one", 3], 1):
        rows = pyarrow.table({"id": [value]})
        writing(tmp_path / f"day=2026-01-0{day}/a.{kind}", rows, kind)
    table = Table.folder(tmp_path)
    assert table.scan(where="day <> '2026-01-02'").count() == 2
    with pytest.raises((DataFileUnlike, DataFileDamaged), match="day=2026-01-02") as caught:
        table.scan().to_arrow()
    assert "id" in str(caught.value)
    shutil.rmtree(tmp_path / "day=2026-01-03")
    if kind != "csv":
        with pytest.raises(DataFileUnlike, match=r"day=2026-01-02.*`id` holds"):
            table.refresh()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_with_a_column_twice_is_named(kind: str, tmp_path: Path, writing: Write) -> None:
    writing(tmp_path / f"odd/b.{kind}", pyarrow.table([[1], [2]], names=["x", "x"]), kind)
    with pytest.raises(DataFileUnlike, match=r"odd/b.* column `x` is there twice"):
        Table.folder(tmp_path / "odd")
    # Only the first and the last file are opened to learn of columns.
    for name in ("odd/a", "odd/c"):
        writing(tmp_path / f"{name}.{kind}", pyarrow.table({"x": [3]}), kind)
    table = Table.folder(tmp_path / "odd")
    with pytest.raises(DataFileUnlike, match=r"odd/b.* column `x` is there twice"):
        table.scan().to_arrow()


def test_a_schema_may_be_given(tmp_path: Path, writing: Write) -> None:
    writing(tmp_path / "k=01/a.csv", pyarrow.table({"id": [1], "zip": ["0123"]}), "csv")
    inferred = Table.folder(tmp_path)
    assert inferred.scan().to_arrow().to_pylist() == [{"id": 1, "zip": 123, "k": 1}]
    schema = pyarrow.schema(
        [("zip", "string"), ("price", pyarrow.decimal128(9, 2)), ("id", "int64"), ("k", "string")]
    )
    given_one = Table.folder(tmp_path, schema=schema)
    wanted = [{"zip": "0123", "price": None, "id": 1, "k": "01"}]
    assert given_one.scan().to_arrow().to_pylist() == wanted
    assert pickle.loads(pickle.dumps(given_one)).scan().to_arrow().to_pylist() == wanted


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", None], pyarrow.int32()),
        (["01", "12"], pyarrow.int32()),
        (["1", "3000000000"], pyarrow.int64()),
        (["1", "30000000000000000000"], pyarrow.large_string()),
        (["2026-01-31", "1969-12-31", None], pyarrow.date32()),
        (["2026-01-31", "2026-02-31"], pyarrow.large_string()),
        (["1", "x"], pyarrow.large_string()),
        (["\u0661", "2"], pyarrow.large_string()),
        (["\u0662\u0660\u0662\u0666-01-01"], pyarrow.large_string()),
        ([None], pyarrow.large_string()),
    ],
    ids=str,
)
def test_the_type_of_a_key_is_told_by_all_its_values(
    values: list[str | None], kind: pyarrow.DataType, tmp_path: Path, writing: Write
) -> None:
    for at, value in enumerate(values):
        name = "__HIVE_DEFAULT_PARTITION__" if value is None else value
        writing(tmp_path / f"k={name}/a.parquet", pyarrow.table({"id": [at]}), "parquet")
    table = Table.folder(tmp_path)
    assert table.schema.field("k").type == kind
    typed = pyarrow.array(values, pyarrow.large_string()).cast(kind).to_pylist()
    assert [row["k"] for row in rows_of(table.scan().to_arrow())] == typed
    as_text = Table.folder(tmp_path, types={"k": "string"})
    assert [row["k"] for row in rows_of(as_text.scan().to_arrow())] == values


# The writer cuts names at a zero byte, which no file system takes.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=14
).filter(lambda text: text != "__HIVE_DEFAULT_PARTITION__")


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.none() | TEXT, st.none() | st.dates() | st.just(date(2026, 1, 1))),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_value_of_a_key_comes_back(
    pairs: list[tuple[str | None, date | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    rows = pyarrow.table(
        {
            "id": range(len(pairs)),
            "text": pyarrow.array([one for one, _ in pairs], pyarrow.string()),
            "on": pyarrow.array([one for _, one in pairs], pyarrow.date32()),
        }
    )
    # Written by another hand than the one that reads.
    pyarrow.dataset.write_dataset(
        rows,
        folder,
        format="parquet",
        partitioning=pyarrow.dataset.partitioning(
            pyarrow.schema([rows.schema.field("text"), rows.schema.field("on")]), flavor="hive"
        ),
    )
    table = Table.folder(folder, types={"text": "string", "on": "date"})
    assert rows_of(table.scan(columns=["id", "text", "on"]).to_arrow()) == rows.to_pylist()
    for row in rows.to_pylist():
        if row["on"] is not None:
            where = f"on = '{row['on'].isoformat()}'"
            ids = table.scan(where=where).to_arrow()["id"].to_pylist()
            assert row["id"] in ids
            assert len(table.scan(where=where).plan().files) == len(ids)


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["a=1/x.parquet", "b=2/x.parquet"], "different keys: `b=2` beside `a=1`"),
        (["a=1/b=2/x.parquet", "a=1/x.parquet"], "different keys"),
        (["a=1/x.parquet", "x.parquet"], "different keys: `a=1` beside `files in no partition`"),
        (["a=1/a=2/x.parquet"], "different keys"),
        (["a=1/deep/x.parquet"], "a folder `deep`, which is no partition"),
        (["=1/x.parquet"], "which is no partition"),
        (["a=%ff/x.parquet"], "no text in UTF-8"),
    ],
    ids=str,
)
def test_folders_that_do_not_fit_together_are_an_error(
    paths: list[str], reason: str, tmp_path: Path, writing: Write
) -> None:
    for path in paths:
        writing(tmp_path / path, pyarrow.table({"id": [1]}), "parquet")
    with pytest.raises(PartitionsInvalid, match=reason) as caught:
        Table.folder(tmp_path)
    assert caught.value.hint


def test_what_is_no_folder_of_files_is_an_error(tmp_path: Path, writing: Write) -> None:
    with pytest.raises(UsageError, match="has no data files"):
        Table.folder(tmp_path / "nowhere")
    writing(tmp_path / "k=1/a.parquet", pyarrow.table({"id": [1]}), "parquet")
    with pytest.raises(UsageError, match="`avro` is no format"):
        Table.folder(tmp_path, format="avro")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="`j` is no key"):
        Table.folder(tmp_path, types={"j": "int"})
    with pytest.raises(PartitionsInvalid, match="whose `k` is no `date32"):
        Table.folder(tmp_path, types={"k": "date"})
    with pytest.raises(UnknownColumn, match="`idd`"):
        Table.folder(tmp_path).scan(columns=["idd"])
    with pytest.raises(UnknownSnapshot, match="`branch` cannot be given"):
        Table.folder(tmp_path).scan(branch="main")
    writing(tmp_path / "k=2/a.orc", pyarrow.table({"id": [1]}), "orc")
    with pytest.raises(UsageError, match=r"do not tell the format .*`.orc`, `.parquet`"):
        Table.folder(tmp_path)


def test_a_folder_is_never_written(tmp_path: Path, writing: Write) -> None:
    writing(tmp_path / "k=1/a.parquet", pyarrow.table({"id": [1]}), "parquet")
    table = Table.folder(tmp_path)
    for write in (
        lambda: table.append({"id": [2], "k": [1]}),
        lambda: table.replace({"id": [2], "k": [1]}),
        lambda: table.upsert({"id": [2], "k": [1]}, on=["id"]),
        lambda: table.delete("id = 1"),
        table.writer,
        table.evolve,
        table.snapshots,
        lambda: table.create_branch("b"),
        lambda: table.clean(),
    ):
        with pytest.raises(ReadOnlyTable, match="only reads"):
            write()
    assert table.scan().count() == 1


def test_a_table_is_what_was_there_when_it_was_opened(tmp_path: Path, writing: Write) -> None:
    writing(tmp_path / "k=1/a.parquet", pyarrow.table({"id": [1]}), "parquet")
    table = Table.folder(tmp_path)
    writing(tmp_path / "k=2/a.parquet", pyarrow.table({"id": [2]}), "parquet")
    assert table.scan().count() == 1
    shards = table.refresh().scan().shards(2)
    assert table.scan().count() == 2
    (tmp_path / "k=2/a.parquet").unlink()
    with pytest.raises(DataFileMissing, match=r"k=2/a\.parquet") as caught:
        DataFrame.read(shards[1])
    assert caught.value.hint == "it has been replaced since: scan the table again"


def test_numbers_of_columns_in_files_are_ignored(tmp_path: Path, writing: Write) -> None:
    source = Table.create("a.b", pyarrow.schema([("x", "int64"), ("id", "int64")]))
    source.append({"x": [7], "id": [1]})
    written = source.scan().plan().files[0].file.file_path.removeprefix("file://")
    (tmp_path / "t/k=2").mkdir(parents=True)
    shutil.copy(written, tmp_path / "t/k=2/a.parquet")
    writing(tmp_path / "t/k=1/a.parquet", pyarrow.table({"id": [2], "x": [8]}), "parquet")
    assert rows_of(Table.folder(tmp_path / "t").scan().to_arrow()) == [
        {"id": 1, "x": 7, "k": 2},
        {"id": 2, "x": 8, "k": 1},
    ]


def test_a_key_is_what_its_folder_says(tmp_path: Path, writing: Write) -> None:
    for kind in KINDS:
        root = tmp_path / kind
        writing(root / f"k=1/a.{kind}", pyarrow.table({"id": [1], "k": [5]}), kind)
        path = root / f"k=__HIVE_DEFAULT_PARTITION__/a.{kind}"
        writing(path, pyarrow.table({"id": [2], "k": [5]}), kind)
        found = rows_of(Table.folder(root).scan().to_arrow())
        assert found == [{"id": 1, "k": 1}, {"id": 2, "k": None}]


@pytest.mark.parametrize("kind", ["parquet", "orc", "json"])
def test_nested_columns_are_read(kind: str, tmp_path: Path, writing: Write) -> None:
    rows = pyarrow.table(
        {
            "id": [1, 2, 3],
            "place": [{"city": "Oslo", "zip": 150}, None, {"city": None, "zip": 2}],
            "tags": [["a", "b"], [], None],
            "deep": [[{"x": 1}], None, [{"x": None}, {"x": 3}]],
        }
    )
    writing(tmp_path / f"k=1/a.{kind}", rows, kind)
    scan = Table.folder(tmp_path).scan(columns=["id", "place", "tags", "deep"])
    assert rows_of(scan.to_arrow()) == rows.to_pylist()
    cities = Table.folder(tmp_path).scan(columns=["place.city"], where="place.zip > 100")
    assert cities.to_arrow().to_pylist() == [{"place": {"city": "Oslo"}}]


def test_keys_of_json_that_differ_in_case_alone_stay_apart(tmp_path: Path, writing: Write) -> None:
    rows = pyarrow.table({"id": [1], "ID": [2], "userId": [3]})
    writing(tmp_path / "t/a.json", rows, "json")
    assert Table.folder(tmp_path / "t").scan().to_arrow().to_pylist() == rows.to_pylist()


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_text_may_be_compressed(kind: str, tmp_path: Path, writing: Write) -> None:
    plain = tmp_path / f"plain.{kind}"
    writing(plain, ROWS.select(["id", "name", "price"]), kind)
    packed = tmp_path / f"t/k=1/a.{kind}.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = Table.folder(tmp_path / "t")
    assert rows_of(table.scan(columns=["id", "name", "price"]).to_arrow()) == rows_of(
        ROWS.select(["id", "name", "price"])
    )
    packed.rename(packed.with_suffix(".snappy"))
    with pytest.raises(DataFileUnlike, match=r"`\.snappy` is not read"):
        Table.folder(tmp_path / "t", format=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_batches_hold_no_more_than_they_may(kind: str, tmp_path: Path, writing: Write) -> None:
    count, memory = 150_000, 16 << 20
    rows = pyarrow.table({"id": range(count), "text": [f"{at:09} " * 20 for at in range(count)]})
    for at in range(2):
        part = rows.slice(at * count // 2, count // 2)
        writing(tmp_path / f"k={at}/a.{kind}", part, kind)
    del rows, part
    before, most, found = pyarrow.total_allocated_bytes(), 0, 0
    for batch in Table.folder(tmp_path).scan().batches(memory=memory):
        assert batch.nbytes <= memory // 4
        most = max(most, pyarrow.total_allocated_bytes() - before)
        found += len(batch)
    assert found == count
    assert most <= memory, (most, before)


def test_decimals_and_odd_types_keep_their_values(tmp_path: Path, writing: Write) -> None:
    rows = pyarrow.table(
        {
            "id": [1],
            "price": pyarrow.array([Decimal("1.50")], pyarrow.decimal128(9, 2)),
            "small": pyarrow.array([200], "uint8"),
            "wide": pyarrow.array([4_000_000_000], "uint32"),
            "word": pyarrow.array(["x"]).dictionary_encode(),
            "at": pyarrow.array([datetime(2026, 1, 1)], pyarrow.timestamp("ns")),
            "raw": [b"\x00\x01"],
            "ok": [True],
        }
    )
    writing(tmp_path / "a.parquet", rows, "parquet")
    table = Table.folder(tmp_path)
    assert table.partition == []
    assert table.scan().to_arrow().to_pylist() == rows.to_pylist()
