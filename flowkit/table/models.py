"""pydantic models as the schemas of tables."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard, Union, get_args, get_origin
from uuid import UUID

from flowkit.table.errors import SchemaInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo
    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType, NestedField

_MOST_DIGITS: Final = 38


def is_model(source: object) -> TypeGuard[type[BaseModel]]:
    """Say whether this is a class of pydantic's."""
    from pydantic import BaseModel

    return isinstance(source, type) and issubclass(source, BaseModel)


def schema_of_model(model: type[BaseModel]) -> Schema:
    """Return the schema of a model: `X | None` is optional, all else required.

    Descriptions become the documentation of columns. The numbers of fields are provisional.

    Raises:
        SchemaInvalid: a field's type has no counterpart.
    """
    from pyiceberg.schema import Schema

    return Schema(*_Numbered().fields(model))


class _Numbered:
    """Turns types into Iceberg's, and numbers what has to have a number."""

    def __init__(self) -> None:
        self._last = 0

    def fields(self, model: type[BaseModel]) -> list[NestedField]:
        from pyiceberg.types import NestedField

        fields = []
        for name, info in model.model_fields.items():
            where = f"{model.__name__}.{name}"
            annotation, optional = _without_none(info.annotation)
            number = self._next()
            made = self._type(annotation, info, where)
            fields.append(
                NestedField(number, name, made, required=not optional, doc=info.description)
            )
        return fields

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _type(self, annotation: Any, info: FieldInfo | None, where: str) -> IcebergType:
        from pyiceberg.types import ListType, MapType, StructType

        if get_origin(annotation) is Literal:
            annotation = type(get_args(annotation)[0])
        origin, arguments = get_origin(annotation), get_args(annotation)
        if is_model(annotation):
            return StructType(*self.fields(annotation))
        if origin in (list, set, frozenset, Sequence) or (
            origin is tuple and arguments[1:] == (...,)
        ):
            inner, optional = _without_none(arguments[0])
            number = self._next()
            element = self._type(inner, None, where)
            return ListType(number, element, element_required=not optional)
        if origin in (dict, Mapping):
            inner, optional = _without_none(arguments[1])
            key, value = self._next(), self._next()
            return MapType(
                key,
                self._type(arguments[0], None, where),
                value,
                self._type(inner, None, where),
                value_required=not optional,
            )
        return _primitive(annotation, info, where)


def _primitive(annotation: Any, info: FieldInfo | None, where: str) -> IcebergType:
    from pydantic import AwareDatetime, NaiveDatetime
    from pyiceberg import types as iceberg

    if annotation is Decimal:
        return _decimal(info, where)
    plain: dict[Any, IcebergType] = {
        AwareDatetime: iceberg.TimestamptzType(),
        NaiveDatetime: iceberg.TimestampType(),
        bool: iceberg.BooleanType(),
        bytes: iceberg.BinaryType(),
        date: iceberg.DateType(),
        datetime: iceberg.TimestampType(),
        float: iceberg.DoubleType(),
        int: iceberg.LongType(),
        str: iceberg.StringType(),
        time: iceberg.TimeType(),
        UUID: iceberg.UUIDType(),
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        kinds = {type(member.value) for member in annotation}
        if len(kinds) == 1 and (kind := kinds.pop()) in plain:
            return plain[kind]
    raise SchemaInvalid(
        f"`{where}` is of type `{annotation}`, which no column can have",
        hint="use str, int, float, bool, bytes, date, datetime, time, Decimal, UUID, list, dict "
        "or another model",
    )


def _decimal(info: FieldInfo | None, where: str) -> IcebergType:
    from pyiceberg.types import DecimalType

    bounds = {
        name: value
        for one in (info.metadata if info else ())
        for name in ("max_digits", "decimal_places")
        if (value := getattr(one, name, None)) is not None
    }
    if len(bounds) < 2:
        raise SchemaInvalid(
            f"`{where}` does not say how many digits it has",
            hint="write `Field(max_digits=12, decimal_places=2)`",
        )
    if not 1 <= bounds["max_digits"] <= _MOST_DIGITS:
        raise SchemaInvalid(
            f"`{where}` has {bounds['max_digits']} digits, and a column has 1 to {_MOST_DIGITS}",
            hint="write `Field(max_digits=12, decimal_places=2)`",
        )
    return DecimalType(bounds["max_digits"], bounds["decimal_places"])


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return `X` for `X | None`, and whether None was there."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [one for one in get_args(annotation) if one is not type(None)]
        if len(inner) == 1:
            return inner[0], len(get_args(annotation)) == 2
    return annotation, False
