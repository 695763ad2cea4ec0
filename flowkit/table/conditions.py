"""Filters as plain data: small, the same in every process, by the numbers of fields.

A condition is a tuple: `("and", left, right)`, `("eq", field, value)`, `("is_null", field)`. As in
SQL, a comparison with null is neither true nor false, and only what is true passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import pyarrow

Condition: TypeAlias = tuple[Any, ...]

_COMPARED: Final = {
    "eq": "equal",
    "ge": "greater_equal",
    "gt": "greater",
    "le": "less_equal",
    "lt": "less",
    "ne": "not_equal",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a column in some rows; None is unknown."""

    low: Any
    high: Any
    nulls: int | None
    values: int
    """How many values there are, nulls among them."""


def fields_of(condition: Condition | None) -> frozenset[int]:
    """Return the numbers of the fields that a condition looks at."""
    if condition is None or condition[0] in ("true", "false"):
        return frozenset()
    if condition[0] in ("and", "or", "not"):
        return frozenset().union(*(fields_of(one) for one in condition[1:]))
    return frozenset([condition[1]])


def mask_of(
    condition: Condition, rows: int, column: Callable[[int], pyarrow.ChunkedArray]
) -> pyarrow.ChunkedArray:
    """Say of each row whether it passes: true, false or null.

    Args:
        condition: what is asked.
        rows: how many rows there are.
        column: gives the values of a field, in the table's type.
    """
    import pyarrow
    import pyarrow.compute as pc

    kind = condition[0]
    if kind in ("true", "false"):
        return pyarrow.chunked_array([pyarrow.repeat(kind == "true", rows)])
    if kind == "not":
        return pc.invert(mask_of(condition[1], rows, column))
    if kind in ("and", "or"):
        left, right = (mask_of(one, rows, column) for one in condition[1:])
        return pc.and_kleene(left, right) if kind == "and" else pc.or_kleene(left, right)
    return _predicate(condition, column(condition[1]))


def _predicate(condition: Condition, values: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    import pyarrow
    import pyarrow.compute as pc

    kind = condition[0]
    if isinstance(values.type, pyarrow.BaseExtensionType):
        values = values.cast(values.type.storage_type)
    if kind == "is_null":
        return values.is_null()
    if kind == "not_null":
        return values.is_valid()
    if kind in ("is_nan", "not_nan"):
        found = pc.is_nan(values)
        return found if kind == "is_nan" else pc.invert(found)
    if kind in _COMPARED:
        compare = getattr(pc, _COMPARED[kind])
        return compare(values, scalar_of(condition[2], values.type))
    if kind in ("starts_with", "not_starts_with"):
        found = pc.starts_with(values, pattern=condition[2])
        return found if kind == "starts_with" else pc.invert(found)
    wanted = [_typed(one, values.type) for one in condition[2]]
    if pyarrow.types.is_floating(values.type) and 0 in wanted:
        # `is_in` goes by bits, and zero has two.
        wanted += [0.0, -0.0]
    among = pyarrow.array(wanted, values.type)
    found = pc.is_in(values, value_set=among)
    # SQL does not know whether null is among the values.
    found = pc.if_else(values.is_valid(), found, pyarrow.scalar(None, pyarrow.bool_()))
    return found if kind == "in" else pc.invert(found)


def scalar_of(value: Any, kind: pyarrow.DataType) -> pyarrow.Scalar:
    """Return a value of a condition in the type of its column."""
    import pyarrow

    if isinstance(kind, pyarrow.BaseExtensionType):
        kind = kind.storage_type
    return pyarrow.scalar(_typed(value, kind), kind)


def _typed(value: Any, kind: pyarrow.DataType) -> Any:
    import pyarrow

    if pyarrow.types.is_decimal(kind):
        return Decimal(value)
    if pyarrow.types.is_floating(kind):
        return float(value)
    return bytes.fromhex(value) if _is_binary(kind) else value


def may_match(
    condition: Condition,
    bounds: Mapping[int, Bounds],
    types: Mapping[int | None, pyarrow.DataType],
) -> bool:
    """Say whether rows within these bounds may pass; True where it cannot be told."""
    kind = condition[0]
    if kind in ("true", "not"):
        return True
    if kind == "false":
        return False
    if kind in ("and", "or"):
        sides = (may_match(one, bounds, types) for one in condition[1:])
        return all(sides) if kind == "and" else any(sides)
    within = bounds.get(condition[1])
    if within is None:
        return True
    if kind == "is_null":
        return within.nulls is None or within.nulls > 0
    if within.nulls is not None and within.nulls == within.values:
        return False
    try:
        return _overlaps(condition, within, types[condition[1]])
    except (TypeError, OverflowError):
        # Written in another type than the table has now, such as times without a zone; or a date
        # that Python has none for.
        return True


def _overlaps(condition: Condition, within: Bounds, type_: pyarrow.DataType) -> bool:
    kind = condition[0]
    low, high = within.low, within.high
    if kind not in ("eq", "lt", "le", "gt", "ge", "in", "starts_with") or low is None:
        return True
    if kind == "in":
        return any(low <= scalar_of(one, type_).as_py() <= high for one in condition[2])
    if kind == "starts_with":
        prefix = condition[2]
        return bool(low[: len(prefix)] <= prefix <= high[: len(prefix)])
    value = scalar_of(condition[2], type_).as_py()
    if kind == "eq":
        return bool(low <= value <= high)
    if kind in ("lt", "le"):
        return bool(low < value if kind == "lt" else low <= value)
    return bool(high > value if kind == "gt" else high >= value)


def _is_binary(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(
        pyarrow.types.is_binary(kind)
        or pyarrow.types.is_large_binary(kind)
        or pyarrow.types.is_fixed_size_binary(kind)
    )
