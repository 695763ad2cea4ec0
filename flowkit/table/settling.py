"""What a filter means, put so that everything that takes it apart agrees on it.

Partitions, statistics and rows are compared with a filter in different places. So it is settled
once: `not` is resolved, and every value is brought into its column's type. A comparison with a
value that the type cannot hold becomes the one with its neighbour that means the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from flowkit.table.literals import in_type

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

_OPPOSITE: Final = {
    "EqualTo": "NotEqualTo",
    "GreaterThan": "LessThanOrEqual",
    "GreaterThanOrEqual": "LessThan",
    "In": "NotIn",
    "IsNaN": "NotNaN",
    "IsNull": "NotNull",
    "StartsWith": "NotStartsWith",
}
_NEGATED: Final = {**_OPPOSITE, **{value: key for key, value in _OPPOSITE.items()}}
_AMONG: Final = {"EqualTo": "In", "NotEqualTo": "NotIn"}
_RANGES: Final = ("GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual")


def settle(
    expression: BooleanExpression, schema: Schema, *, negated: bool = False
) -> BooleanExpression:
    """Return a filter that passes the same rows, without `not`, its values in their columns' types.

    As in SQL, null passes no comparison, and not its opposite either. NaN passes `!=` and `not in`
    alone, and what `not` makes of a comparison that it fails.

    Args:
        expression: a filter on columns of the schema.
        schema: the columns.
        negated: whether the rows that it is false of are meant.

    Raises:
        TypeError, ValueError: a value cannot be compared with its column.
    """
    from pyiceberg.expressions import AlwaysFalse, AlwaysTrue, And, Not, Or

    match expression:
        case AlwaysTrue() | AlwaysFalse():
            return ~expression if negated else expression
        case Not():
            return settle(expression.child, schema, negated=not negated)
        case And() | Or():
            left = settle(expression.left, schema, negated=negated)
            right = settle(expression.right, schema, negated=negated)
            return (And if isinstance(expression, And) is not negated else Or)(left, right)
    return _predicate(expression, schema, negated=negated)


def _predicate(expression: Any, schema: Schema, *, negated: bool) -> BooleanExpression:
    from pyiceberg.types import DoubleType, FloatType

    kind = type(expression).__name__.removeprefix("Bound")
    name, field = _column(expression.term, schema)
    is_float = isinstance(field.field_type, FloatType | DoubleType)
    if negated:
        kind = _NEGATED[kind]
    if kind in ("IsNull", "NotNull"):
        return _made(kind, name)
    if kind in ("IsNaN", "NotNaN"):
        return _made(kind, name) if is_float else _made("In" if kind == "IsNaN" else "NotIn", name)
    if kind in ("In", "NotIn"):
        return _among(kind, name, field, expression.literals)
    if kind in ("EqualTo", "NotEqualTo"):
        return _among(_AMONG[kind], name, field, [expression.literal])
    if kind not in _RANGES:
        return _made(kind, name, expression.literal)
    compared = _compared(kind, name, field, expression.literal)
    # NaN fails every range, so it passes what `not` makes of one.
    return compared | _made("IsNaN", name) if negated and is_float else compared


def _column(term: Any, schema: Schema) -> tuple[str, NestedField]:
    if hasattr(term, "ref"):
        number = term.ref().field.field_id
        return schema.find_column_name(number) or "", schema.find_field(number)
    return term.name, schema.find_field(term.name)


def _compared(kind: str, name: str, field: NestedField, literal: Any) -> BooleanExpression:
    """Compare with the nearest value of the column's type that gives the same rows."""
    near = in_type(literal, field.field_type)
    wanted = near.below if kind.startswith("Less") else near.above
    if wanted is None:
        return _made("In", name)
    if not near.is_exact and not kind.endswith("OrEqual"):
        kind += "OrEqual"
    return _made(kind, name, wanted)


def _among(kind: str, name: str, field: NestedField, literals: Iterable[Any]) -> BooleanExpression:
    """Compare with those of the values that the column's type has."""
    near = [in_type(one, field.field_type) for one in literals]
    return _made(kind, name, *(one.below for one in near if one.is_exact))


def _made(kind: str, name: str, *values: Any) -> BooleanExpression:
    """Make an expression about a column. Not to be among nothing takes a value."""
    from pyiceberg import expressions

    if kind == "NotIn" and not values:
        kind = "NotNull"
    arguments = [list(values)] if kind in ("In", "NotIn") else values
    made: BooleanExpression = getattr(expressions, kind)(name, *arguments)
    return made
