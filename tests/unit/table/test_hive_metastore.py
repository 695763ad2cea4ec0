"""Tables of a Hive metastore, which answers over a socket: types, formats, partitions, pruning."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.orc
import pyarrow.parquet
import pytest

from flowkit import DataFrame, Table, UsageError
from flowkit.cli import main
from flowkit.table import (
    CatalogError,
    DataFileDamaged,
    DataFileUnlike,
    PartitionsInvalid,
    ReadOnlyTable,
    Shard,
    UnknownTable,
    UnsupportedTable,
    open_catalog,
)
from flowkit.testing import HiveMetastore, open_hive_metastore
from flowkit.testing.hive_metastore import StorageKind

COLUMNS = {"id": "bigint", "name": "string", "price": "decimal(9,2)", "at": "timestamp"}
SCHEMA = pyarrow.schema(
    [
        ("id", "int64"),
        ("name", "string"),
        ("price", pyarrow.decimal128(9, 2)),
        ("at", pyarrow.timestamp("us")),
    ]
)
ROWS = [
    {"id": 1, "name": "a|b", "price": Decimal("1.50"), "at": datetime(2026, 1, 1, 2, 3, 4, 500)},
    {"id": 2, "name": None, "price": None, "at": None},
    {"id": 3, "name": "", "price": Decimal("-2.25"), "at": datetime(1969, 12, 31)},
]


@pytest.fixture
def metastore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HiveMetastore]:
    """A metastore, set up as the catalog `old`, which is the default."""
    with open_hive_metastore() as metastore:
        (tmp_path / "flowkit.toml").write_text(
            f'catalog = "old"\n[catalogs.old]\ntype = "hive"\nuri = "{metastore.uri}"\n'
            f'warehouse = "file://{tmp_path}/warehouse"\n'
        )
        monkeypatch.chdir(tmp_path)
        yield metastore


def write(folder: Path, kind: str) -> str:
    """Write the rows as Hive does, into a file without an ending; return the folder."""
    folder.mkdir(parents=True)
    path = folder / "000000_0"
    rows = pyarrow.Table.from_pylist(ROWS, SCHEMA)
    if kind == "parquet":
        pyarrow.parquet.write_table(rows.rename_columns(["ID", "Name", "price", "at"]), path)
    elif kind == "orc":
        pyarrow.orc.write_table(rows.rename_columns([f"_col{at}" for at in range(4)]), path)
    elif kind == "text":
        path.write_text(
            "1\x01a|b\x011.50\x012026-01-01 02:03:04.000500000\n"
            "2\x01\\N\x01\\N\x01\\N\n"
            "3\x01\x01-2.25\x011969-12-31 00:00:00\n"
        )
    elif kind == "csv":
        path.write_text(
            '"1","a|b","1.50","2026-01-01 02:03:04.0005"\n"3","","-2.25","1969-12-31 00:00:00"\n'
        )
    else:
        lines = [
            {"ID": 1, "name": "a|b", "price": 1.50, "at": "2026-01-01 02:03:04.0005", "odd": 1},
            {"ID": 2, "name": None},
            {"ID": 3, "name": "", "price": "-2.25", "at": "1969-12-31 00:00:00", "odd": "x"},
        ]
        path.write_text("\n".join(map(json.dumps, lines)))
    return str(folder)


def put(path: Path, text: str) -> str:
    """Write text into a file in a new folder; return the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path.parent)


@pytest.fixture
def visits(metastore: HiveMetastore, tmp_path: Path) -> HiveMetastore:
    """A table whose partitions lie anywhere, each in a format of its own."""
    metastore.add_table(
        "web.visits",
        COLUMNS,
        location=f"{tmp_path}/nowhere",
        keys={"day": "date", "shop": "string"},
    )
    for at, kind in enumerate(("parquet", "orc", "text", "csv", "json"), 1):
        metastore.add_partition(
            "web.visits",
            [f"2026-01-0{at}", None if kind == "orc" else f"a/b:{kind} é%"],
            location=write(tmp_path / f"far/{kind}", kind),
            storage=kind,  # type: ignore[arg-type]
        )
    return metastore


def test_partitions_lie_anywhere_in_formats_of_their_own(visits: HiveMetastore) -> None:
    table = Table("web.visits")
    assert (table.name, table.catalog, table.partition) == ("web.visits", "old", ["day", "shop"])
    assert [(one.name, str(one.field_type)) for one in table.fields] == [
        ("id", "long"),
        ("name", "string"),
        ("price", "decimal(9, 2)"),
        ("at", "timestamp"),
        ("day", "date"),
        ("shop", "string"),
    ]
    for at, kind in enumerate(("parquet", "orc", "text", "csv", "json"), 1):
        found = table.scan(where=f"day = '2026-01-0{at}'").to_arrow().to_pylist()
        shop = None if kind == "orc" else f"a/b:{kind} é%"
        # OpenCSVSerde knows no null in text.
        rows = [one for one in ROWS if kind != "csv" or one["name"] is not None]
        assert found == [{**one, "day": date(2026, 1, at), "shop": shop} for one in rows]
    assert table.scan().count() == sum(map(len, table.scan().batches())) == 14
    assert table.scan(where="price > 1").count() == 5


def test_partitions_are_left_out_before_their_files_are_looked_for(visits: HiveMetastore) -> None:
    scan = Table("web.visits").scan(where="day >= '2026-01-02' and shop is not null and id < 3")
    assert visits.asked == []
    plan = scan.plan()
    assert [one.format for one in plan.files] == ["csv", "csv", "json"]
    assert [one.partition["day"].day for one in plan.files] == [3, 4, 5]
    assert [[name[:14] for name in names] for names in visits.asked] == [
        ["day=2026-01-03", "day=2026-01-04", "day=2026-01-05"]
    ]
    assert scan.count() == 5
    visits.asked.clear()
    assert Table("web.visits").scan(where="day is null").count() == 0
    assert visits.asked == []
    default = Table("web.visits").scan(where="shop is null").plan()
    assert [one.partition["shop"] for one in default.files] == [None]


READS = """
import sys
from flowkit import DataFrame
from flowkit.table import Shard
print(sum(len(DataFrame.read(Shard.from_json(one))) for one in sys.stdin))
"""


def test_shards_are_read_by_other_processes(visits: HiveMetastore) -> None:
    shards = Table("web.visits").scan().shards(3)
    assert shards == Table("web.visits").scan().shards(3)
    told = [one.to_json() for one in shards]
    assert [Shard.from_json(one) for one in told] == shards
    # A program of its own: one that is forked, or imports this module, would know too much.
    done = subprocess.run(
        [sys.executable, "-c", READS], input="\n".join(told), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("14\n", "")


def test_iceberg_tables_of_a_metastore_stay_what_they_are(visits: HiveMetastore) -> None:
    made = Table.create("web.orders", SCHEMA)
    assert Table("web.orders").metadata_location == made.metadata_location
    assert Table.names() == ["web.orders", "web.visits"]
    with pytest.raises(UnknownTable) as caught:
        Table("web.visit")
    assert caught.value.hint == "did you mean `web.visits`?"
    with pytest.raises(ReadOnlyTable):
        Table("web.visits").append(DataFrame({"id": [1]}))


def test_a_table_without_partitions_may_grow_columns(
    metastore: HiveMetastore, tmp_path: Path
) -> None:
    put(tmp_path / "t/000000_0", "1|a\n2|b\n")
    put(tmp_path / "t/000001_0", "3|c|2026-01-01|extra\n")
    put(tmp_path / "t/_SUCCESS", "not a row")
    metastore.add_table(
        "web.t",
        {"id": "int", "name": "varchar(10)", "on": "date"},
        location=f"file:{tmp_path}/t",
        storage="text",
        serde={"field.delim": "|", "serialization.format": "|"},
    )
    assert Table("web.t").scan().to_arrow().to_pylist() == [
        {"id": 1, "name": "a", "on": None},
        {"id": 2, "name": "b", "on": None},
        {"id": 3, "name": "c", "on": date(2026, 1, 1)},
    ]


def test_text_is_read_as_hive_writes_it(metastore: HiveMetastore, tmp_path: Path) -> None:
    put(
        tmp_path / "t/data",
        'id,name\n1,"no quotes"\n2,back\\\\slash\\nline\n3,\\N\n\\N,N\n,\n',
    )
    metastore.add_table(
        "web.t",
        {"id": "int", "name": "string"},
        location=f"{tmp_path}/t",
        storage="text",
        serde={"field.delim": ",", "escape.delim": "\\"},
        parameters={"skip.header.line.count": "1"},
    )
    assert Table("web.t").scan().to_arrow().to_pylist() == [
        {"id": 1, "name": '"no quotes"'},
        {"id": 2, "name": "back\\slash\nline"},
        {"id": 3, "name": None},
        {"id": None, "name": "N"},
        {"id": None, "name": ""},
    ]
    put(tmp_path / "t/more", "id,name\n1,a\\,b\n")
    with pytest.raises(DataFileUnlike, match=r"t/more.*a delimiter that is escaped"):
        Table("web.t").scan(columns=["id"]).to_arrow()


def test_other_text_for_null_and_other_quotes(metastore: HiveMetastore, tmp_path: Path) -> None:
    metastore.add_table(
        "web.t",
        {"id": "int", "name": "string"},
        keys={"k": "int"},
        location=f"{tmp_path}/t",
        storage="text",
    )
    metastore.add_partition(
        "web.t",
        ["1"],
        location=put(tmp_path / "null/a", "1;nil\nnil;x\n"),
        storage="text",
        serde={"field.delim": "59", "serialization.null.format": "nil"},
    )
    metastore.add_partition(
        "web.t",
        ["2"],
        location=put(tmp_path / "quoted/a", "3\t'it''s, \\' \"so\"'\n"),
        storage="csv",
        serde={"separatorChar": "\t", "quoteChar": "'"},
    )
    metastore.add_partition(
        "web.t",
        ["3"],
        location=put(tmp_path / "swapped/a", "y|4\n"),
        columns={"name": "string", "id": "int"},
        storage="text",
        serde={"field.delim": "|"},
    )
    assert Table("web.t").scan().to_arrow().to_pylist() == [
        {"id": 1, "name": None, "k": 1},
        {"id": None, "name": "x", "k": 1},
        {"id": 3, "name": "it's, ' \"so\"", "k": 2},
        {"id": 4, "name": "y", "k": 3},
    ]


def json_rows(path: Path, odd: Callable[[int], object], *, extra: bool, null: bool) -> None:
    """Write several blocks of lines; `odd` makes some of them, by their numbers."""
    lines = []
    for at in range(40_000):
        row = {"userid": at, "page": None if null and at % 3 else "pqr", "in": {"deep": at}}
        more = {"more": {"USERID": -1}} if extra else {}
        lines.append(json.dumps(odd(at) or {**row, **more}))
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("extra", [False, True], ids=["known", "other"])
@pytest.mark.parametrize("null", [False, True], ids=["whole", "null"])
@pytest.mark.parametrize("columns", [None, ["userid"], ["in"]], ids=str)
def test_a_key_in_another_case_is_found_in_whichever_row_it_is(
    extra: bool, null: bool, columns: list[str], metastore: HiveMetastore, tmp_path: Path
) -> None:
    odd = {
        17_000: {"userId": 17_000, "Page": "P", "IN": {"Deep": 17_000}},
        17_001: {"USERID": 17_001, "page": '"userId": 3', "in": {"deep": 17_001}},
        39_999: {"userid": 39_999, "page": "p" * 300_000, "in": {"DEEP": 39_999}},
    }
    json_rows(tmp_path / "t/0", odd.get, extra=extra, null=null)
    types = {"userid": "int", "page": "string", "in": "struct<deep:int>"}
    metastore.add_table("web.t", types, location=f"{tmp_path}/t", storage="json")
    scan = Table("web.t").scan(columns=columns)
    batches = list(scan.batches(memory="16MB"))
    assert len(batches) > 4
    found = [row for one in batches for row in one.to_pylist()]
    assert [row.get("userid", at) for at, row in enumerate(found)] == list(range(40_000))
    assert all(row.get("in", {"deep": at}) == {"deep": at} for at, row in enumerate(found))
    assert [found[at].get("page") for at in odd] == [
        None if columns else row.get("page", "P") for row in odd.values()
    ]
    assert scan.to_arrow().to_pylist() == found
    assert scan.count() == 40_000


@pytest.mark.parametrize("storage", ["text", "csv"])
def test_rows_that_are_too_short_or_too_long_are_filled_up_or_cut_off(
    storage: StorageKind, metastore: HiveMetastore, tmp_path: Path
) -> None:
    widths = random.Random(7).choices([1, 2, 3, 4, 5, 6], [1, 1, 90, 1, 1, 1], k=60_000)
    columns = {"a": "bigint", "b": "string", "c": "string", "d": "string"}
    # More than a block, so that they are put back between the right ones; and the first is short.
    rows = [[str(at), *"bcdef"[: width - 1]] for at, width in enumerate([2, *widths, 1, 5])]
    metastore.add_table(
        "web.t",
        columns,
        location=put(tmp_path / "t/0", "skip\n" + "".join(f"{'|'.join(one)}\n" for one in rows)),
        storage=storage,
        serde={"field.delim": "|", "separatorChar": "|"},
        parameters={"skip.header.line.count": "1"},
    )
    expected = [
        {"a": at, **dict.fromkeys("bcd"), **dict(zip("bcd", one[1:], strict=False))}
        for at, one in enumerate(rows)
    ]
    table = Table("web.t")
    assert table.scan().to_arrow().to_pylist() == expected
    batches = list(table.scan(columns=["d", "a"]).batches(memory="16MB"))
    assert len(batches) > 1
    assert [row for one in batches for row in one.to_pylist()] == [
        {"d": one["d"], "a": one["a"]} for one in expected
    ]
    assert table.scan().count() == len(rows)
    assert table.scan(where="d is not null").count() == sum(len(one) > 3 for one in rows)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1|2|x\n", "column `price`.*'x'"),
        ("one|2|3\n", "column `id`.*'one'"),
    ],
)
def test_text_that_is_no_row_is_an_error_that_names_the_file(
    text: str, reason: str, metastore: HiveMetastore, tmp_path: Path
) -> None:
    location = put(tmp_path / "t/000000_0", text)
    columns = {"id": "int", "name": "string", "price": "double"}
    serde = {"field.delim": "|"}
    metastore.add_table("web.t", columns, location=location, storage="text", serde=serde)
    with pytest.raises((DataFileUnlike, DataFileDamaged), match=f"t/000000_0.*{reason}"):
        Table("web.t").scan().to_arrow()


def test_types_of_hive_become_those_of_a_table(metastore: HiveMetastore, tmp_path: Path) -> None:
    types = {
        "tinyint": "int",
        "SMALLINT": "int",
        "int": "int",
        "bigint": "long",
        "boolean": "boolean",
        "float": "float",
        "double": "double",
        "char(3)": "string",
        "varchar(200)": "string",
        "binary": "binary",
        "decimal": "decimal(10, 0)",
        "decimal(38,18)": "decimal(38, 18)",
        "timestamp with local time zone": "timestamptz",
        "array<map<string,int>>": "list<map<string, int>>",
        "struct<a:int,b:array<struct<c:date,d:decimal(4,2)>>>": (
            "struct<5: a: optional int, 6: b: optional list<struct<8: c: optional date, "
            "9: d: optional decimal(4, 2)>>>"
        ),
    }
    columns = {f"c{at}": one for at, one in enumerate(types)}
    metastore.add_table("web.t", columns, location=str(tmp_path))
    found = [str(one.field_type) for one in Table("web.t").fields]
    plain = [one for one in types.values() if not one.startswith("struct")]
    assert found[: len(plain)] == plain
    inner = Table("web.t").schema.field(f"c{len(plain)}").type
    assert inner.field("b").type.value_type.field("d").type == pyarrow.decimal128(4, 2)
    for odd in ("uniontype<int,string>", "array<int", "map<int>", "decimal(x)", "int)"):
        metastore.add_table("web.odd", {"c": odd}, location=str(tmp_path))
        with pytest.raises(UnsupportedTable, match="column `c` is of type"):
            Table("web.odd")


def test_nested_columns_are_found_in_any_case(metastore: HiveMetastore, tmp_path: Path) -> None:
    rows = pyarrow.table({"Id": [1], "Place": [{"cityName": "Oslo", "Zip": 150}], "id2": [3]})
    folder = tmp_path / "t"
    folder.mkdir()
    pyarrow.parquet.write_table(rows, folder / "a")
    metastore.add_table(
        "web.t",
        {"place": "struct<zip:bigint,cityname:string>", "id": "bigint"},
        location=str(folder),
    )
    assert Table("web.t").scan(where="place.zip = 150").to_arrow().to_pylist() == [
        {"place": {"zip": 150, "cityname": "Oslo"}, "id": 1}
    ]


def test_keys_of_json_are_found_in_any_case(metastore: HiveMetastore, tmp_path: Path) -> None:
    rows = [
        {"userId": 1, "page": 'the "USERID": of', "AT": {"cityName": "Oslo", "zip": 1}},
        {"userid": 2, "Page": "\\", "at": {"cityname": "Bergen", "ZIP": 2}, "Straße": [{"A": 1}]},
    ]
    # Some rows are spelled in a way that none of the first blocks shows.
    late = [{"userid": at, "page": "x" * 1000} for at in range(3000)] + [{"USERID": 7}]
    put(tmp_path / "t/a", "\n".join(json.dumps(one, ensure_ascii=False) for one in rows))
    put(tmp_path / "t/b", "\n".join(map(json.dumps, late)))
    metastore.add_table(
        "web.t",
        {
            "userid": "bigint",
            "page": "string",
            "at": "struct<zip:int,cityname:string>",
            "straße": "array<struct<a:int>>",
        },
        location=str(tmp_path / "t"),
        storage="json",
    )
    found = Table("web.t").scan().to_arrow().to_pylist()
    assert found[:2] == [
        {
            "userid": 1,
            "page": 'the "USERID": of',
            "at": {"zip": 1, "cityname": "Oslo"},
            "straße": None,
        },
        {
            "userid": 2,
            "page": "\\",
            "at": {"zip": 2, "cityname": "Bergen"},
            "straße": [{"a": 1}],
        },
    ]
    assert found[-1]["userid"] == 7
    assert Table("web.t").scan(where="userid = 7").count() == 2
    assert Table("web.t").scan().count() == 3003


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"table_type": "VIRTUAL_VIEW"}, "it is a view"),
        ({"parameters": {"transactional": "true"}}, "it is transactional"),
        ({"parameters": {"storage_handler": "org.x.HBase"}}, "behind `org.x.HBase`"),
        ({"parameters": {"spark.sql.sources.provider": "delta"}}, "a table of `delta`"),
    ],
    ids=str,
)
def test_tables_whose_files_are_not_their_rows_are_refused(
    facts: dict[str, object], reason: str, metastore: HiveMetastore, tmp_path: Path
) -> None:
    metastore.add_table("web.t", COLUMNS, location=str(tmp_path), **facts)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedTable, match=reason):
        Table("web.t")


@pytest.mark.parametrize(
    "parameters", [{"skip.footer.line.count": "1"}, {"serialization.encoding": "latin1"}]
)
def test_text_that_would_be_read_wrongly_is_refused(
    parameters: dict[str, str], metastore: HiveMetastore, tmp_path: Path
) -> None:
    metastore.add_table(
        "web.t", COLUMNS, location=str(tmp_path), storage="text", parameters=parameters
    )
    with pytest.raises(UnsupportedTable, match="are not read"):
        Table("web.t").scan().plan()


def test_partitions_that_the_metastore_does_not_know_are_an_error(
    metastore: HiveMetastore, tmp_path: Path
) -> None:
    location = str(Path(write(tmp_path / "t/day=2026-01-01", "parquet")).parent)
    metastore.add_table("web.t", COLUMNS, location=location)
    with pytest.raises(PartitionsInvalid, match="does not know, such as `day=2026-01-01`"):
        Table("web.t").scan().plan()
    metastore.add_table("web.k", COLUMNS, location=location, keys={"n": "int"})
    metastore.add_partition("web.k", ["one"], location=location)
    with pytest.raises(PartitionsInvalid, match="whose `n` is no `int32`"):
        Table("web.k").scan().plan()
    with pytest.raises(UsageError, match="`k` does not name a table"):
        Table("k")


def test_a_partition_whose_folder_is_gone_has_no_rows(
    metastore: HiveMetastore, tmp_path: Path
) -> None:
    metastore.add_table("web.t", COLUMNS, location=str(tmp_path), keys={"k": "int"})
    metastore.add_partition("web.t", ["1"], location=f"{tmp_path}/gone")
    assert Table("web.t").scan().to_arrow().num_rows == 0
    assert Table("web.t").scan().shards(2)[0].parts == ()


def test_a_metastore_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flowkit.toml").write_text('[catalogs.old]\nuri = "thrift://127.0.0.1:9"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogError, match=r"`old` at `thrift:.*` does not answer"):
        Table("web.t", catalog="old")


def test_the_command_line_shows_them(
    visits: HiveMetastore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "list"]) == 0
    assert capsys.readouterr().out == "web.visits\n"
    assert main(["table", "show", "web.visits", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["partition"] == ["day", "shop"]
    assert (shown["rows"], shown["files"], shown["snapshot"]) == (14, 5, None)
    assert shown["columns"][2]["type"] == "decimal(9, 2)"
    where = ["--where", "day = '2026-01-05'", "--columns", "id,shop"]
    assert main(["table", "scan", "web.visits", *where, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows == [{"id": at, "shop": "a/b:json é%"} for at in (1, 2, 3)]
    assert main(["table", "show", "web.visits"]) == 0
    assert "decimal(9, 2)" in capsys.readouterr().out
    assert main(["table", "history", "web.visits"]) == 2
    assert "is a Hive table" in capsys.readouterr().err


def test_a_table_that_was_dropped_meanwhile_is_named(visits: HiveMetastore) -> None:
    table = Table("web.visits")
    assert table.refresh() is table
    open_catalog().drop_table("web.visits")
    with pytest.raises(UnknownTable, match=r"`old` has no table `web\.visits`"):
        table.refresh()
