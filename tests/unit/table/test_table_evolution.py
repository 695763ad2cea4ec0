"""Rows written before columns changed are read as the table is now, by the numbers of fields."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowkit import DataFrame, Table, UsageError
from flowkit.table import CommitConflict
from flowkit.table.evolution import Evolution

UTC_TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
PRIMITIVES: dict[str, tuple[pyarrow.DataType, st.SearchStrategy[Any]]] = {
    "bool": (pyarrow.bool_(), st.booleans()),
    "int": (pyarrow.int32(), st.integers(-(2**31), 2**31 - 1)),
    "long": (pyarrow.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pyarrow.float32(), st.floats(width=32, allow_nan=False)),
    "double": (pyarrow.float64(), st.floats(allow_nan=False)),
    "decimal": (
        pyarrow.decimal128(9, 2),
        st.decimals(-9_999_999, 9_999_999, places=2, allow_nan=False),
    ),
    "text": (pyarrow.string(), st.text(max_size=6)),
    "bytes": (pyarrow.binary(), st.binary(max_size=6)),
    "date": (pyarrow.date32(), st.dates(date(1900, 1, 1), date(2100, 1, 1))),
    "time": (pyarrow.time64("us"), st.times()),
    "timestamp": (pyarrow.timestamp("us"), UTC_TIMES),
    "timestamptz": (pyarrow.timestamp("us", "UTC"), UTC_TIMES),
    "fixed": (pyarrow.binary(4), st.binary(min_size=4, max_size=4)),
}
WIDER = {"int": "long", "float": "double", "decimal": "decimal(18, 2)"}


@st.composite
def kinds(draw: st.DrawFn, depth: int = 2) -> tuple[str, pyarrow.DataType, st.SearchStrategy[Any]]:
    """A type by name, as Arrow has it, and values of it."""
    shape = draw(st.sampled_from(["plain"] * 4 + ["struct", "list", "map"] * (depth > 0)))
    if shape == "plain":
        name = draw(st.sampled_from(sorted(PRIMITIVES)))
        kind, values = PRIMITIVES[name]
        return name, kind, st.none() | values
    if shape == "struct":
        members = draw(st.lists(kinds(depth - 1), min_size=1, max_size=3))
        names = [f"m{at}" for at in range(len(members))]
        struct = pyarrow.struct(
            [pyarrow.field(name, one[1]) for name, one in zip(names, members, strict=True)]
        )
        rows = st.fixed_dictionaries(
            {name: one[2] for name, one in zip(names, members, strict=True)}
        )
        return "struct", struct, st.none() | rows
    name, kind, values = draw(kinds(depth - 1))
    if shape == "list":
        return "list", pyarrow.list_(kind), st.none() | st.lists(values, max_size=3)
    pairs = st.dictionaries(st.text(max_size=3), values, max_size=3).map(lambda one: [*one.items()])
    return "map", pyarrow.map_(pyarrow.string(), kind), st.none() | pairs


@dataclass
class Column:
    """A column through its history: what it is called now, its type, and values of it."""

    kind: str
    values: st.SearchStrategy[Any]


class History:
    """A table that is written and changed, and a model of the rows that it must have."""

    def __init__(self, draw: Any, columns: dict[str, Column], schema: pyarrow.Schema) -> None:
        self.draw, self.columns = draw, columns
        self.table = Table.create("made.up", schema)
        self.rows: list[dict[int, Any]] = []

    def write(self) -> None:
        """Append rows."""
        count = self.draw(st.integers(1, 5))
        schema = self.table.schema
        drawn = [
            pyarrow.array(
                [self.draw(self.columns[field.name].values) for _ in range(count)], field.type
            )
            for field in schema
        ]
        written = pyarrow.table(drawn, schema=schema)
        # pyiceberg writes null lists and maps of structs as empty ones.
        nested = any(one.kind in ("list", "map") for one in self.columns.values())
        if nested or self.draw(st.booleans()):
            self.table.append(written)
        else:
            self.table.iceberg.append(written)
        for row in written.to_pylist():
            # By the column and not its name: names change.
            self.rows.append({id(self.columns[name]): value for name, value in row.items()})

    def change(self) -> None:
        """Change columns at random."""
        draw, columns = self.draw, self.columns
        before = list(columns)
        with self.table.evolve() as change:
            if draw(st.booleans()):
                kind_name, kind, values = draw(kinds())
                name = f"n{len(self.rows)}"
                change.add_column(name, kind)
                columns[name] = Column(kind_name, values)
            for name in before:
                match draw(st.sampled_from(["keep", "rename", "drop", "widen", "first"])):
                    case "rename":
                        change.rename_column(name, f"r{name}")
                        columns[f"r{name}"] = columns.pop(name)
                    case "drop" if len(columns) > 1:
                        change.drop_column(name)
                        del columns[name]
                    case "widen" if columns[name].kind in WIDER:
                        change.widen_column(name, WIDER[columns[name].kind])
                        columns[name].kind = "wide"
                    case "first":
                        change.move_column(name)

    def expected(self) -> list[dict[str, Any]]:
        """The rows, with null where a column is younger."""
        names = self.table.columns
        return [{name: row.get(id(self.columns[name])) for name in names} for row in self.rows]


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_history_of_changes_reads_as_the_table_is_now(data: st.DataObject) -> None:
    drawn = data.draw(st.lists(kinds(), min_size=1, max_size=4))
    columns = {f"c{at}": Column(name, values) for at, (name, _, values) in enumerate(drawn)}
    schema = pyarrow.schema([pyarrow.field(f"c{at}", one[1]) for at, one in enumerate(drawn)])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWKIT_HOME", folder)
        history = History(data.draw, columns, schema)
        for _ in range(data.draw(st.integers(1, 3))):
            history.write()
            history.change()
        history.write()
        read = history.table.scan().to_arrow()
        assert read.schema.equals(history.table.schema)
        by_model = sorted(map(repr, history.expected()))
        assert sorted(map(repr, read.to_pylist())) == by_model
        # pyiceberg itself makes empty lists and maps of those that are null.
        if not any(one.kind in ("list", "map") for one in columns.values()):
            oracle = history.table.iceberg.scan().to_arrow()
            assert read.to_pylist() == oracle.to_pylist()
        shards = [DataFrame.read(shard).to_arrow() for shard in history.table.scan().shards(2)]
        assert sorted(map(repr, pyarrow.concat_tables(shards).to_pylist())) == by_model
        batches = list(history.table.scan().batches("1MB"))
        assert pyarrow.Table.from_batches(batches, read.schema).to_pylist() == read.to_pylist()


def test_a_new_struct_with_a_required_field_is_null_in_rows_old_and_new() -> None:
    place = pyarrow.struct([pyarrow.field("zip", pyarrow.int64(), nullable=False)])
    table = Table.create(
        "n.t", pyarrow.schema({"id": "int64", "k": "string"}), partition=["k"], sort=["id desc"]
    )
    table.append({"id": [1, 2], "k": ["a", "b"]})
    with table.evolve() as change:
        change.add_column("place", place)
    table.append({"id": [3, 4, 5], "k": ["a", "b", "a"]})
    table.upsert({"id": [1, 6], "k": ["a", "b"], "place": [{"zip": 150}, None]}, on=["id"])
    table.delete("id = 3")
    found = Table("n.t").scan().to_arrow()
    assert sorted(found["id"].to_pylist()) == [1, 2, 4, 5, 6]
    assert [one["id"] for one in found.to_pylist() if one["place"]] == [1]


@pytest.mark.parametrize(
    "change",
    [
        lambda change: change.add_column("", "string"),
        lambda change: change.add_column("st.", "string"),
        lambda change: change.add_column(" ", "string"),
        lambda change: change.rename_column("id", ""),
        lambda change: change.rename_column("st.a", "st.b"),
        lambda change: change.add_column(5, "string"),
        lambda change: change.drop_column(5),
        lambda change: change.set_partition("id"),
    ],
)
def test_columns_have_names(change: Callable[[Evolution], object]) -> None:
    schema = pyarrow.schema([("id", "int64"), ("st", pyarrow.struct([("a", "int64")]))])
    table = Table.create("shop.orders", schema)
    with pytest.raises(UsageError), table.evolve() as evolution:
        change(evolution)
    assert Table("shop.orders").schema == table.schema
    with table.evolve() as evolution:
        evolution.rename_column("st.a", "b").add_column("st.c", "long")
    assert [field.name for field in table.schema.field("st").type] == ["b", "c"]


def test_of_two_changes_of_columns_at_a_time_one_is_told_of_the_other() -> None:
    table = Table.create("shop.orders", pyarrow.schema([("id", "int64")]))
    ours = table.evolve().add_column("ours", "string")
    with Table("shop.orders").evolve() as change:
        change.add_column("theirs", "string")
    with pytest.raises(CommitConflict, match="was not made: somebody has changed"), ours:
        pass
    assert table.columns == ["id", "theirs"]
    with table.evolve() as change:
        change.add_column("ours", "string")
    assert Table("shop.orders").columns == ["id", "theirs", "ours"]
