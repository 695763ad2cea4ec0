"""Catalogs: the embedded one, and others by settings; opening and making tables."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pandas
import polars
import pyarrow
import pytest
from pydantic import AwareDatetime, BaseModel, Field
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from flowkit import DataFrame, NotFound, Table, UsageError
from flowkit.settings import read_settings
from flowkit.table import (
    CatalogError,
    CatalogInvalid,
    SchemaInvalid,
    TableExists,
    UnknownCatalog,
    UnknownColumn,
    UnknownTable,
    open_catalog,
)

ARROW = pyarrow.schema([("id", "int64"), ("ts", pyarrow.timestamp("us")), ("name", "string")])


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that writes `flowkit.toml` into the working folder."""

    def write(text: str) -> None:
        (tmp_path / "flowkit.toml").write_text(text)
        monkeypatch.chdir(tmp_path)

    return write


def test_the_embedded_catalog_needs_nothing_set_up(home: Path) -> None:
    table = Table.create("shop.orders", ARROW)
    assert (table.name, table.catalog, table.snapshot) == ("shop.orders", "local", None)
    assert table.location == f"file://{home}/warehouse/shop/orders"
    assert Path(table.metadata_location.removeprefix("file://")).is_file()
    assert table.columns == ["id", "ts", "name"]
    assert Table.names() == ["shop.orders"]
    assert repr(Table("shop.orders")) == "<Table shop.orders of catalog local, snapshot None>"


def test_an_unknown_table_is_an_error_with_a_near_one() -> None:
    Table.create("shop.orders", ARROW)
    Table.create("shop.deep.customers", ARROW)
    with pytest.raises(UnknownTable, match="`local` has no table") as caught:
        Table("shop.order")
    assert isinstance(caught.value, NotFound)
    assert caught.value.hint == "did you mean `shop.orders`?"
    with pytest.raises(UnknownTable) as caught:
        Table("zoo.animals")
    assert caught.value.hint == "make it with `Table.create('zoo.animals', schema)`"
    assert Table.names() == ["shop.deep.customers", "shop.orders"]
    with pytest.raises(UsageError, match="`orders` does not name a table"):
        Table("orders")


def test_a_table_is_made_once() -> None:
    made = Table.create("shop.orders", ARROW, partition=["day(ts)"])
    with pytest.raises(TableExists, match=r"shop\.orders"):
        Table.create("shop.orders", ARROW)
    again = Table.create("shop.orders", ARROW, exist_ok=True)
    assert again.partition == made.partition == ["day(ts)"]


@pytest.mark.parametrize(
    "schema",
    [
        ARROW,
        ARROW.empty_table(),
        DataFrame(ARROW.empty_table()),
        polars.DataFrame(ARROW.empty_table()),
        pandas.DataFrame({"id": [1], "ts": [datetime(2026, 1, 1)], "name": ["x"]}),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_schema_is_taken_from_whatever_has_one(schema: object) -> None:
    table = Table.create("shop.orders", schema)
    assert table.columns == ["id", "ts", "name"]
    assert table.schema.field("ts").type == pyarrow.timestamp("us")


def test_a_pyiceberg_schema_is_taken_as_it_is() -> None:
    table = Table.create("shop.orders", Schema(NestedField(1, "id", LongType(), required=True)))
    assert table.schema.field("id") == pyarrow.field("id", "int64", nullable=False)


class Kind(Enum):
    BIG = "big"
    SMALL = "small"


class Place(BaseModel):
    city: str
    zip: str | None = None


class Order(BaseModel):
    id: int = Field(description="the number on the bill")
    kind: Kind
    state: Literal["open", "paid"]
    price: Decimal = Field(max_digits=12, decimal_places=2)
    key: UUID
    on: date
    at: datetime
    seen: AwareDatetime | None
    tags: list[str]
    scores: dict[str, float | None]
    place: Place
    raw: bytes = b""


def test_a_pydantic_model_is_a_schema() -> None:
    table = Table.create("shop.orders", Order, partition=["day(at)", "kind"])
    fields = {field.name: field for field in table.schema}
    assert not fields["id"].nullable
    assert fields["seen"].nullable
    assert fields["seen"].type == pyarrow.timestamp("us", "UTC")
    assert fields["at"].type == pyarrow.timestamp("us")
    assert fields["price"].type == pyarrow.decimal128(12, 2)
    assert fields["place"].type.field("zip").nullable
    assert fields["scores"].type.item_field.nullable
    assert not fields["tags"].type.value_field.nullable
    assert table.iceberg.schema().find_field("id").doc == "the number on the bill"


class Vague(BaseModel):
    price: Decimal


class Odd(BaseModel):
    what: complex


class Huge(BaseModel):
    price: Decimal = Field(max_digits=50, decimal_places=2)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (Vague, "`Vague.price` does not say how many digits"),
        (Odd, "`Odd.what` is of type"),
        (7, "a `int` is no schema"),
        (Huge, "`Huge.price` has 50 digits"),
        (pyarrow.schema([("a", pyarrow.month_day_nano_interval())]), "a"),
        (pyarrow.schema([("a", pyarrow.uint64())]), "column `a` is of type `uint64`"),
        (pyarrow.schema([("a", pyarrow.null())]), "column `a` is of type `null`"),
        (pyarrow.schema([("a", pyarrow.list_(pyarrow.null()))]), "`a.element` is of type `null`"),
        (pyarrow.schema([("a", pyarrow.decimal128(5, -2))]), r"`a` is of type `decimal128\(5, -2"),
        (pyarrow.schema([("a", pyarrow.int8()), ("a", pyarrow.int8())]), "`a` is there twice"),
        (pyarrow.schema([("a", pyarrow.struct([("", pyarrow.int8())]))]), "in `a` has no name"),
    ],
)
def test_a_schema_that_makes_no_table_is_an_error(schema: object, reason: str) -> None:
    with pytest.raises(SchemaInvalid, match=reason):
        Table.create("shop.orders", schema)


def test_a_table_made_like_data_takes_that_data() -> None:
    zoned = pyarrow.timestamp("ms", "Europe/Berlin")
    moments = pyarrow.array([0], pyarrow.int64())
    small, wide = (
        pyarrow.array([255], pyarrow.uint8()),
        pyarrow.array([2**32 - 1], pyarrow.uint32()),
    )
    data = pyarrow.table(
        {
            "small": small,
            "wide": wide,
            "wides": pyarrow.ListArray.from_arrays(pyarrow.array([0, 1], pyarrow.int32()), wide),
            "in": pyarrow.StructArray.from_arrays([wide], names=["wide"]),
            "coded": wide.dictionary_encode(),
            "day": moments.cast(pyarrow.date64()),
            "time": pyarrow.array([0], pyarrow.time32("s")),
            "zoned": moments.cast(zoned),
            "nanos": pyarrow.array([[0]], pyarrow.list_(pyarrow.timestamp("ns"))),
        }
    )
    table = Table.create("shop.orders", data)
    assert [str(one.field_type) for one in table.fields] == [
        "int",
        "long",
        "list<long>",
        "struct<11: wide: optional long>",
        "long",
        "date",
        "time",
        "timestamptz",
        "list<timestamp>",
    ]
    table.append(data)
    found = Table("shop.orders").scan().to_arrow().to_pylist()[0]
    assert found["wide"] == found["coded"] == found["in"]["wide"] == found["wides"][0] == 2**32 - 1
    assert found["small"] == 255


@pytest.mark.parametrize(
    "terms",
    [
        ["name"],
        ["day(ts)"],
        ["bucket(16, id)"],
        ["hour(ts)", "truncate(4, name)"],
        ["year(ts)", "bucket(4, name)"],
    ],
    ids=str,
)
def test_partitions_are_written_as_they_are_read(terms: list[str]) -> None:
    assert Table.create("shop.orders", ARROW, partition=terms).partition == terms
    assert Table("shop.orders").partition == terms


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        ("day(name)", "`day` does not take column `name` of type `string`"),
        ("bucket(id)", "how wide"),
        ("weekly(ts)", r"`weekly\(ts\)` is no transform"),
    ],
)
def test_a_partition_that_cannot_be_is_an_error(term: str, reason: str) -> None:
    with pytest.raises(SchemaInvalid, match=reason):
        Table.create("shop.orders", ARROW, partition=[term])
    with pytest.raises(UnknownColumn, match="`nam`"):
        Table.create("shop.orders", ARROW, partition=["nam"])


def test_partitions_have_names_of_their_own() -> None:
    data = pyarrow.table({"id": [1, 2], "id_bucket": ["a", "b"]})
    terms = ["bucket(4, id)", "bucket(8, id)", "id", "id_bucket"]
    table = Table.create("shop.orders", data, partition=terms)
    assert [one.name for one in table.iceberg.spec().fields] == [
        "id_bucket_2",
        "id_bucket_3",
        "id",
        "id_bucket",
    ]
    table.append(data)
    assert table.partition == terms
    assert table.scan(where="id = 2").to_arrow().to_pylist() == [{"id": 2, "id_bucket": "b"}]
    with pytest.raises(SchemaInvalid, match="`id` is there twice"):
        Table.create("shop.lines", data, partition=["id", "id"])


def test_an_order_is_written_as_in_sql() -> None:
    table = Table.create("shop.orders", ARROW, sort=["day(ts) desc nulls last", "id", "name DESC"])
    fields = table.iceberg.sort_order().fields
    assert [(one.source_id, str(one.transform)) for one in fields] == [
        (2, "day"),
        (1, "identity"),
        (3, "identity"),
    ]
    assert [one.direction.name for one in fields] == ["DESC", "ASC", "DESC"]
    assert [one.null_order.name for one in fields] == ["NULLS_LAST", "NULLS_FIRST", "NULLS_FIRST"]


def test_columns_and_partitions_change_at_once_or_not_at_all() -> None:
    table = Table.create("shop.orders", ARROW, partition=["day(ts)"])
    with table.evolve() as change:
        change.add_column("price", "decimal(9, 2)", doc="in euro", before="name")
        change.rename_column("name", "label")
        change.set_partition(["month(ts)", "price"])
    assert table.columns == ["id", "ts", "price", "label"]
    assert table.partition == ["month(ts)", "price"]
    with pytest.raises(UnknownColumn, match="`prize`"), table.evolve() as change:
        change.drop_column("label").rename_column("prize", "cost")
    assert Table("shop.orders").columns == ["id", "ts", "price", "label"]


@pytest.mark.parametrize(
    ("name", "type_"), [("id", "int"), ("id", "string"), ("id", "whatever"), ("name", "long")]
)
def test_a_column_is_only_ever_widened(name: str, type_: str) -> None:
    table = Table.create("shop.orders", ARROW)
    with pytest.raises(SchemaInvalid), table.evolve() as change:
        change.widen_column(name, type_)


def test_a_catalog_is_set_up_by_settings(configured: Any, tmp_path: Path) -> None:
    configured(
        'catalog = "lake"\n[catalogs.lake]\n'
        f'type = "sql"\nuri = "sqlite:///{tmp_path}/lake.db"\nwarehouse = "file://{tmp_path}/lake"\n'
    )
    assert Table.create("shop.orders", ARROW).catalog == "lake"
    assert Table.names(catalog="local") == []
    assert read_settings(tmp_path, {}).settings.catalogs["lake"]["type"] == "sql"


def test_an_unknown_catalog_is_an_error_with_a_near_one() -> None:
    with pytest.raises(UnknownCatalog, match="`lokal`") as caught:
        Table("shop.orders", catalog="lokal")
    assert caught.value.hint == "did you mean `local`?"


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ('type = "rest"', "it has no `uri`"),
        ('type = "nonsense"', "nonsense"),
        ('warehouse = "s3://bucket"', "it has no `uri`"),
        ('uri = "gopher://x"', "gopher"),
        ('type = "sql"\nuri = "postgresql+odd://x/y"', r"names no database.*postgresql\.odd"),
        ('type = "sql"\nuri = "no address"', "names no database"),
    ],
)
def test_properties_that_make_no_catalog_are_an_error(
    configured: Any, properties: str, reason: str
) -> None:
    configured(f"[catalogs.lake]\n{properties}\n")
    with pytest.raises(CatalogInvalid, match=reason) as caught:
        open_catalog("lake")
    assert "[catalogs.lake]" in str(caught.value.hint)


def test_a_catalog_that_does_not_answer_is_an_error(configured: Any) -> None:
    configured('[catalogs.lake]\ntype = "rest"\nuri = "http://127.0.0.1:9/"\n')
    with pytest.raises(CatalogError, match=r"`lake` at `http:.*` does not answer"):
        Table("shop.orders", catalog="lake")


@pytest.mark.parametrize(
    ("missing", "uri", "package"),
    [
        ("pyiceberg.catalog.hive", "thrift://127.0.0.1:9", "flowkit[hive]"),
        ("psycopg2", "postgresql+psycopg2://me@127.0.0.1:9/iceberg", "flowkit[postgres]"),
        ("psycopg", "postgresql+psycopg://me@127.0.0.1:9/iceberg", "psycopg[binary]"),
        ("pymysql", "mysql+pymysql://me@127.0.0.1:9/iceberg", "pymysql"),
    ],
)
def test_a_client_that_is_not_installed_is_named(
    missing: str, uri: str, package: str, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    kind = "" if uri.startswith("thrift") else 'type = "sql"\n'
    configured(f'[catalogs.lake]\n{kind}uri = "{uri}"\n')
    with pytest.raises(CatalogInvalid, match=f"`{missing}` is not installed") as caught:
        open_catalog("lake")
    assert caught.value.hint == f"install its client: `pip install '{package}'`"


def test_settings_of_a_catalog_must_be_text(configured: Any) -> None:
    configured("[catalogs.lake]\nport = [1]\n")
    with pytest.raises(UsageError, match=r"`catalogs` is .* but takes"):
        open_catalog("lake")


CREATES = """
import sys
import pyarrow
from flowkit import Table
for number in sys.argv[1:]:
    Table.create(f"many.t{number}", pyarrow.schema({"id": pyarrow.int64()}))
"""


def test_many_processes_may_be_the_first_to_use_the_embedded_catalog() -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", CREATES, str(at), str(at + 4)]) for at in range(4)
    ]
    assert [process.wait(120) for process in started] == [0, 0, 0, 0]
    assert Table.names() == [f"many.t{at}" for at in range(8)]
