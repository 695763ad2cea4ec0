"""Filters against an oracle: what Arrow says of each row, compared in the column's own type."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyiceberg import expressions as ex

from flowkit import Table
from flowkit.table import DataFileMissing, FilterInvalid

NAN, INF = math.nan, math.inf
ZONED = pa.timestamp("us", "UTC")
KEYS = [uuid.UUID(int=one) for one in (0, 1, 2**64, 2**127, 2**128 - 1)]


def keys(values: list[uuid.UUID | None]) -> pa.Array:
    storage = pa.array([one and one.bytes for one in values], pa.binary(16))
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


@dataclass(frozen=True)
class Kind:
    """A type of columns: values in it, and what they are compared with, as text and as it is."""

    values: pa.Array
    literals: dict[str, Any]


KINDS = {
    "int32": Kind(
        pa.array([-(2**31), -7, 0, 1, 2**31 - 1, None], pa.int32()),
        {
            "0": 0,
            "1": 1,
            "0.5": 0.5,
            "2147483647": 2**31 - 1,
            "-2147483648": -(2**31),
            "3000000000": 3_000_000_000,
            "-3000000000": -3_000_000_000,
        },
    ),
    "int64": Kind(
        pa.array([-(2**63), -7, 0, 2**53 + 1, 2**63 - 1, None], pa.int64()),
        {
            "0": 0,
            "-0.25": -0.25,
            "9007199254740993": 2**53 + 1,
            "9223372036854775807": 2**63 - 1,
            "-9223372036854775808": -(2**63),
            "99999999999999999999": 10**20 - 1,
            "-99999999999999999999": 1 - 10**20,
        },
    ),
    "float32": Kind(
        pa.array([-INF, -0.1, -0.0, 0.1, 1.5, 3.4e38, INF, NAN, None], pa.float32()),
        {"0.1": 0.1, "0": 0, "1.5": 1.5, "16777217": 2**24 + 1, "'inf'": INF, "'-inf'": -INF},
    ),
    "float64": Kind(
        pa.array([-INF, -0.1, -0.0, 0.1, 1.5, 1.7e308, INF, NAN, None], pa.float64()),
        {"0.1": 0.1, "0": 0, "1.5": 1.5, "-7": -7, "'inf'": INF, "'-inf'": -INF},
    ),
    "decimal": Kind(
        pa.array([Decimal(one) for one in ("-999.99", "0", "0.5", "999.99")] + [None]).cast(
            pa.decimal128(5, 2)
        ),
        {
            "0.5": Decimal("0.5"),
            "0.999": Decimal("0.999"),
            "1": 1,
            "-1.005": Decimal("-1.005"),
            "999.99": Decimal("999.99"),
            "99999.99": Decimal("99999.99"),
            "-99999.99": Decimal("-99999.99"),
        },
    ),
    "date": Kind(
        pa.array([date(1, 1, 1), date(1969, 12, 31), date(2026, 3, 1), date(9999, 12, 31), None]),
        {
            f"'{one}'": one
            for one in (date(1, 1, 1), date(2026, 3, 1), date(2026, 3, 2), date(9999, 12, 31))
        },
    ),
    "timestamp": Kind(
        pa.array(
            [datetime(1, 1, 1), datetime(2026, 3, 1), datetime(2026, 3, 1, 12), datetime.max, None],
            pa.timestamp("us"),
        ),
        {
            "'2026-03-01'": datetime(2026, 3, 1),
            "'2026-03-01 12:00:00'": datetime(2026, 3, 1, 12),
            "'2026-03-01T12:00'": datetime(2026, 3, 1, 12),
            "'0001-01-01'": datetime(1, 1, 1),
            "'9999-12-31T23:59:59.999999'": datetime.max,
        },
    ),
    "uuid": Kind(keys([*KEYS, None]), {f"'{one}'": one for one in KEYS[1:4]}),
    "string": Kind(
        pa.array(["", "a", "ab", "é", "\U0010ffff", None]), {"''": "", "'a'": "a", "'é'": "é"}
    ),
}
PARTITIONS = {
    "int32": ["truncate(3, v)", "bucket(3, v)"],
    "int64": ["truncate(7, v)"],
    "decimal": ["bucket(3, v)"],
    "date": ["month(v)", "year(v)"],
    "timestamp": ["day(v)", "month(v)", "year(v)", "hour(v)"],
    "uuid": ["bucket(3, v)"],
    "string": ["truncate(1, v)"],
}
OPERATORS: dict[str, tuple[type[Any], Callable[[Any, Any], Any]]] = {
    "=": (ex.EqualTo, lambda one, other: one == other),
    "!=": (ex.NotEqualTo, lambda one, other: one != other),
    "<": (ex.LessThan, lambda one, other: one < other),
    "<=": (ex.LessThanOrEqual, lambda one, other: one <= other),
    ">": (ex.GreaterThan, lambda one, other: one > other),
    ">=": (ex.GreaterThanOrEqual, lambda one, other: one >= other),
}
_ARROW = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


def compared(values: pa.Array, operator: str, literal: Any) -> pa.Array:
    """Compare with a literal as Arrow does."""
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if isinstance(literal, uuid.UUID):
        literal = literal.bytes
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        # Exactly: no type of Arrow's has all of these numbers.
        apply = OPERATORS[operator][1]
        return pa.array(
            [None if one is None else apply(one, literal) for one in values.to_pylist()], pa.bool_()
        )
    if pa.types.is_float32(values.type):
        literal = np.float32(literal)
    elif pa.types.is_floating(values.type):
        literal = float(literal)
    return getattr(pc, _ARROW[operator])(values, pa.scalar(literal, values.type))


def among(values: pa.Array, literals: list[Any]) -> pa.Array:
    found = compared(values, "=", literals[0])
    for one in literals[1:]:
        found = pc.or_kleene(found, compared(values, "=", one))
    return found


@dataclass(frozen=True)
class Asked:
    """A filter, and which rows it is true of."""

    where: Any
    passes: pa.Array


def every_filter(kind: Kind) -> Iterator[Asked]:
    """Yield a filter of each operator with each literal, as text and as expression."""
    plain = []
    for text, value in kind.literals.items():
        for operator, (expression, _) in OPERATORS.items():
            passes = compared(kind.values, operator, value)
            plain.append((f"v {operator} {text}", expression("v", value), passes))
    texts, values = list(kind.literals)[:2], list(kind.literals.values())[:2]
    if len({type(one) for one in values}) == 1:
        listed = f"({', '.join(texts)})"
        passes = among(kind.values, values)
        plain.append((f"v in {listed}", ex.In("v", values), passes))
        plain.append((f"v not in {listed}", ex.NotIn("v", values), pc.invert(passes)))
    for text, expression, passes in plain:
        yield Asked(text, passes)
        yield Asked(f"not {text}", pc.invert(passes))
        yield Asked(expression, passes)
        yield Asked(ex.Not(expression), pc.invert(passes))


def make(kind: Kind, partition: list[str]) -> Table:
    rows = pa.table({"v": kind.values, "id": pa.array(range(len(kind.values)), pa.int64())})
    table = Table.create("lab.t", rows, partition=partition)
    table.append(rows)
    return table


def ids(table: Table, where: Any = None) -> list[int]:
    found: list[int] = table.scan(where=where, columns=["id"]).to_arrow()["id"].to_pylist()
    return sorted(found)


def places(passes: pa.Array) -> list[int]:
    return [at for at, one in enumerate(passes.to_pylist()) if one]


CASES = [
    (name, partition)
    for name in KINDS
    for partition in ([], ["v"], *([one] for one in PARTITIONS.get(name, ())))
]


@pytest.mark.parametrize(("name", "partition"), CASES)
def test_a_scan_finds_the_rows_that_arrow_finds(name: str, partition: list[str]) -> None:
    kind = KINDS[name]
    table = make(kind, partition)
    wrong = [
        (str(one.where), found, expected)
        for one in every_filter(kind)
        if (found := ids(table, one.where)) != (expected := places(one.passes))
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("column", "where", "passes"),
    [
        (pa.array([1, None], pa.int32()), "v < 3000000000", [0]),
        (pa.array([1, None], pa.int32()), "v != 3000000000", [0]),
        (pa.array([1, None], pa.int32()), "v > 0.5 and v < 1.5", [0]),
        (pa.array([0.1, INF], pa.float32()), ex.EqualTo("v", INF), [1]),
        (pa.array([0.1, INF, None], pa.float32()), ex.NotEqualTo("v", INF), [0]),
        (pa.array([0.1, INF], pa.float32()), "v < 1e300", [0]),
        (pa.array([1, 2, 3]), "v in (1, 2.0, 2.5)", [0, 1]),
        (pa.array([1.0, 1.5, 3.0]), "v in (1, 1.5)", [0, 1]),
        (pa.array([0.1, INF], pa.float32()), ex.GreaterThan("v", 1e300), [1]),
        (pa.array([1.5, NAN, None]), "not v >= 0", [1]),
        (pa.array([1.5, NAN, None]), "not (v >= 0 and v < 9)", [1]),
        (pa.array([1, None]), ex.NotNaN("v"), [0]),
        (pa.array([1, None]), ex.Not(ex.IsNaN("v")), [0]),
        (
            pa.array([datetime(2026, 3, 1)], ZONED),
            "v = '2026-03-01T00:00Z'",
            [0],
        ),
        (pa.array([date(2026, 3, 1)]), ex.LessThan("v", 2**40), [0]),
    ],
)
def test_what_a_type_cannot_hold_is_compared_all_the_same(
    column: pa.Array, where: Any, passes: list[int]
) -> None:
    assert ids(make(Kind(column, {}), []), where) == passes


@pytest.mark.parametrize(
    ("column", "where", "reason"),
    [
        (pa.array([datetime(2026, 3, 1)], pa.timestamp("us")), "v > 'soon'", "`soon` is no time"),
        (pa.array([datetime(2026, 3, 1)], pa.timestamp("us")), "v > '2026-03-01Z'", "no time"),
        (
            pa.array([datetime(2026, 3, 1)], pa.timestamp("us")),
            "v > '2026-03-01T00:00Z'",
            "the column has none",
        ),
        (
            pa.array([datetime(2026, 3, 1)], ZONED),
            "v > '2026-03-01'",
            "has no zone",
        ),
        (pa.array([1]), "v = true", "`True` cannot be compared"),
        (pa.array([1]), "v = 'one'", "`one` is no number"),
    ],
)
def test_a_value_of_another_kind_is_an_error_that_says_how_to_write_it(
    column: pa.Array, where: str, reason: str
) -> None:
    with pytest.raises(FilterInvalid, match=reason):
        make(Kind(column, {}), []).scan(where=where)


@pytest.mark.parametrize(("name", "partition"), CASES)
def test_a_delete_takes_the_rows_that_arrow_finds(name: str, partition: list[str]) -> None:
    kind = KINDS[name]
    table = make(kind, partition)
    everything = range(len(kind.values))
    wrong = []
    # A delete is decided by what scans are decided by: every seventh filter takes them all in turn.
    for at, one in enumerate(list(every_filter(kind))[::7]):
        table.create_branch(f"b{at}")
        table.delete(one.where, branch=f"b{at}")
        left = table.scan(branch=f"b{at}", columns=["id"]).to_arrow()["id"].to_pylist()
        expected = sorted(set(everything) - set(places(one.passes)))
        if sorted(left) != expected:
            wrong.append((str(one.where), sorted(left), expected))
    assert not wrong


def test_a_delete_plans_where_a_partition_is_null() -> None:
    rows = pa.table({"k": pa.array([1, None, 0]), "id": [1, 2, 3]})
    table = Table.create("lab.t", rows, partition=["k"])
    table.append(rows)
    table.delete("k < 1 or id = 2")
    assert ids(table) == [1]


@pytest.mark.parametrize("change", ["upsert", "delete"])
def test_a_data_file_that_is_gone_is_not_called_an_expired_snapshot(change: str) -> None:
    rows = pa.table({"id": [1, 2]})
    table = Table.create("lab.t", rows)
    table.append(rows)
    [planned] = table.scan().plan().files
    Path(planned.file.file_path.removeprefix("file://")).unlink()
    with pytest.raises(DataFileMissing, match=Path(planned.file.file_path).name):
        table.upsert({"id": [1]}, on=["id"]) if change == "upsert" else table.delete("id = 1")
