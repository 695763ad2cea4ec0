"""The values of a filter in the types of their columns."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import datetime
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    Context,
    Decimal,
    InvalidOperation,
)
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pyiceberg.expressions.literals import Literal
    from pyiceberg.types import IcebergType

_LARGEST_FLOAT: Final = (2 - 2**-23) * 2.0**127
_LARGEST_DOUBLE: Final = (2 - 2**-52) * 2.0**1023
# More digits than a double has when it is written out in full.
_WIDE: Final = Context(prec=1200, Emax=MAX_EMAX, Emin=MIN_EMIN)


@dataclass(frozen=True, slots=True)
class Near:
    """The values of a type that are next to one, as literals: one and the same if it has it.

    None where there is no such value. NaN is next to nothing.
    """

    below: Literal[Any] | None
    """The largest that is not above it."""
    above: Literal[Any] | None
    """The smallest that is not below it."""

    @property
    def is_exact(self) -> bool:
        """Whether the type has the value itself."""
        return self.below is not None and self.below == self.above


def in_type(literal: Literal[Any], kind: IcebergType) -> Near:
    """Return the values of a column's type that are next to a literal.

    For columns of floating point a literal is the nearest number that they can hold, as if it
    were cast; one beyond the largest is not. Elsewhere it is what it is.

    Raises:
        TypeError, ValueError: the literal cannot be compared with the type.
    """
    from pyiceberg.types import (
        DateType,
        DecimalType,
        DoubleType,
        FloatType,
        IntegerType,
        LongType,
        TimestampType,
        TimestamptzType,
        TimeType,
    )

    match kind:
        case FloatType() | DoubleType():
            return _in_floats(_number(literal, kind), kind)
        case IntegerType() | LongType() | DecimalType():
            return _in_steps(_number(literal, kind), kind)
        case DateType() | TimeType() | TimestampType() | TimestamptzType() if (
            type(literal.value) is int and "Long" in type(literal).__name__
        ):
            return _in_steps(Decimal(literal.value), kind)
        case TimestampType() | TimestamptzType() if isinstance(literal.value, str):
            return _same(_time(literal.value, zoned=isinstance(kind, TimestamptzType)))
    return _same(literal.to(kind))


def _same(literal: Literal[Any]) -> Near:
    return Near(literal, literal)


def _number(literal: Literal[Any], kind: IcebergType) -> Decimal:
    value = literal.value
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise TypeError(f"`{value}` cannot be compared with a column of type {kind}")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"`{value}` is no number") from error


def _in_floats(value: Decimal, kind: IcebergType) -> Near:
    from pyiceberg.expressions.literals import DoubleLiteral, FloatLiteral
    from pyiceberg.types import FloatType

    if value.is_nan():
        return Near(None, None)
    is_single = isinstance(kind, FloatType)
    made = FloatLiteral if is_single else DoubleLiteral
    cast = _single(float(value)) if is_single else float(value)
    if math.isfinite(cast) or value.is_infinite():
        return _same(made(cast))
    largest = _LARGEST_FLOAT if is_single else _LARGEST_DOUBLE
    if value > 0:
        return Near(made(largest), made(math.inf))
    return Near(made(-math.inf), made(-largest))


def _single(value: float) -> float:
    """Return the nearest number of single precision."""
    try:
        nearest: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return nearest


def _in_steps(value: Decimal, kind: IcebergType) -> Near:
    """Find the neighbours in a type whose values are so many steps of one size."""
    from pyiceberg.expressions.literals import DecimalLiteral, LongLiteral
    from pyiceberg.types import DateType, DecimalType, IntegerType

    if value.is_nan():
        return Near(None, None)
    scale = 0
    if isinstance(kind, DecimalType):
        scale, highest = kind.scale, 10**kind.precision - 1
        lowest = -highest
    else:
        bits = 31 if isinstance(kind, IntegerType | DateType) else 63
        lowest, highest = -(2**bits), 2**bits - 1

    def literal(steps: int) -> Literal[Any]:
        if isinstance(kind, DecimalType):
            return DecimalLiteral(Decimal(steps).scaleb(-scale, _WIDE)).to(kind)
        return LongLiteral(steps).to(kind)

    steps = value.scaleb(scale, _WIDE)
    if steps > highest:
        return Near(literal(highest), None)
    if steps < lowest:
        return Near(None, literal(lowest))
    down, up = (int(steps.to_integral_value(way)) for way in (ROUND_FLOOR, ROUND_CEILING))
    return Near(literal(down), literal(up))


def _time(text: str, *, zoned: bool) -> Literal[Any]:
    from pyiceberg.expressions.literals import TimestampLiteral
    from pyiceberg.utils.datetime import datetime_to_micros

    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"`{text}` is no time: write it as `2026-03-01T12:00`") from error
    if zoned and found.tzinfo is None:
        raise ValueError(f"`{text}` has no zone, and the column has: write `2026-03-01T12:00Z`")
    if not zoned and found.tzinfo is not None:
        raise ValueError(f"`{text}` has a zone, and the column has none: leave it away")
    return TimestampLiteral(datetime_to_micros(found))
