"""Filters as users write them: text as in SQL, or pyiceberg's expressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.conditions import Condition
from flowkit.table.errors import FilterInvalid, UnknownColumn
from flowkit.table.parsing import parse_text
from flowkit.table.schemas import with_null_structs
from flowkit.table.settling import settle

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema

_KINDS: Final = {
    "BoundEqualTo": "eq",
    "BoundGreaterThan": "gt",
    "BoundGreaterThanOrEqual": "ge",
    "BoundIn": "in",
    "BoundIsNaN": "is_nan",
    "BoundIsNull": "is_null",
    "BoundLessThan": "lt",
    "BoundLessThanOrEqual": "le",
    "BoundNotEqualTo": "ne",
    "BoundNotIn": "not_in",
    "BoundNotNaN": "not_nan",
    "BoundNotNull": "not_null",
    "BoundNotStartsWith": "not_starts_with",
    "BoundStartsWith": "starts_with",
}


def parse_filter(
    where: str | BooleanExpression | None, schema: Schema, *, table: str
) -> BooleanExpression:
    """Read a filter, check it against the columns that it is about, and settle what it means.

    Args:
        where: text such as `"year = 2013 and carrier in ('AA', 'UA')"`, an expression of
            `pyiceberg.expressions`, or None for all rows.
        schema: the columns that may be named.
        table: the table's name, for errors.

    Raises:
        FilterInvalid: the text cannot be parsed, or a value is of the wrong type.
        UnknownColumn: a name is no column.
    """
    from pyiceberg.expressions import AlwaysTrue, BooleanExpression

    if where is None:
        return AlwaysTrue()
    if isinstance(where, str):
        expression = _parse(where)
    elif isinstance(where, BooleanExpression):
        expression = where
    else:
        raise FilterInvalid(
            repr(where),
            reason=f"it is a `{type(where).__name__}`",
            hint="give text as in SQL, or an expression of `pyiceberg.expressions`",
        )
    for column in _columns(expression):
        if column not in schema.column_names:
            raise UnknownColumn(column, table=table, known=schema.column_names)
    try:
        settled = settle(expression, schema)
    except (TypeError, ValueError) as error:
        raise FilterInvalid(str(where), reason=str(error)) from error
    bound_filter(settled, schema, where=where)
    return settled


def bound_filter(
    expression: BooleanExpression, schema: Schema, *, where: object = None
) -> BooleanExpression:
    """Bind an expression to fields of a schema, without any `not` that can be resolved.

    Raises:
        FilterInvalid: a value cannot be compared with its column.
    """
    from pyiceberg.expressions.visitors import bind, rewrite_not

    try:
        return bind(with_null_structs(schema), rewrite_not(expression), case_sensitive=True)
    except (TypeError, ValueError) as error:
        raise FilterInvalid(str(where or expression), reason=str(error)) from error


def condition_of(expression: BooleanExpression, schema: Schema) -> Condition | None:
    """Return a filter as plain data, by the numbers of fields; None if all rows pass."""
    from pyiceberg.expressions import AlwaysTrue

    bound = bound_filter(expression, schema)
    return None if isinstance(bound, AlwaysTrue) else _condition(bound)


def _parse(text: str) -> BooleanExpression:
    try:
        return parse_text(text)
    except ValueError as error:
        raise FilterInvalid(text, reason=str(error)) from error


def _columns(expression: Any) -> Iterator[str]:
    """Name the columns that an expression is about."""
    term = getattr(expression, "term", None)
    if term is not None:
        yield term.name if hasattr(term, "name") else term.ref().field.name
    for side in ("left", "right", "child"):
        if hasattr(expression, side):
            yield from _columns(getattr(expression, side))


def _condition(bound: Any) -> Condition:
    from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, And, Not, Or

    match bound:
        case AlwaysTrue():
            return ("true",)
        case AlwaysFalse():
            return ("false",)
        case And() | Or():
            word = "and" if isinstance(bound, And) else "or"
            return (word, _condition(bound.left), _condition(bound.right))
        case Not():
            return ("not", _condition(bound.child))
    kind = _KINDS[type(bound).__name__]
    field = bound.term.ref().field.field_id
    if hasattr(bound, "literals"):
        values = sorted((plain_value(one.value) for one in bound.literals), key=str)
        return (kind, field, tuple(values))
    if hasattr(bound, "literal"):
        return (kind, field, plain_value(bound.literal.value))
    return (kind, field)


def plain_value(value: Any) -> str | int | float | bool:
    """Return a literal's value as JSON has it: bytes in hex, decimals and odd floats as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return str(value)
