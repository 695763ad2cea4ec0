"""Types of columns as Hive writes them, `map<string,array<int>>`, as types of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from flowkit.table.errors import UnsupportedTable

if TYPE_CHECKING:
    from pyiceberg.types import IcebergType, NestedField

_TOKEN: Final = re.compile(r"\s*([<>(),:]|[^<>(),:]+)")
_PLAIN: Final = {
    "bigint": "long",
    "binary": "binary",
    "boolean": "boolean",
    "char": "string",
    "date": "date",
    "double": "double",
    "double precision": "double",
    "float": "float",
    "int": "int",
    "integer": "int",
    "smallint": "int",
    "string": "string",
    "timestamp": "timestamp",
    "timestamp with local time zone": "timestamptz",
    "tinyint": "int",
    "varchar": "string",
}
_MOST_DIGITS: Final = 38
"""What Hive's decimals and Iceberg's may have."""


def type_of(text: str, *, column: str, table: str) -> IcebergType:
    """Return a column's type; fields inside it are numbered from 1 million, to be numbered again.

    Raises:
        UnsupportedTable: the type has no counterpart, such as a union.
    """
    reader = _Reader(text)
    try:
        found = reader.type()
        if reader.next() is None:
            return found
    except LookupError:
        pass
    raise UnsupportedTable(
        table,
        feature=f"column `{column}` is of type `{text}`",
        hint="give it a type that Iceberg has too, or make a view without the column",
    )


class _Reader:
    """Reads a type from front to back. Raises LookupError where it cannot be understood."""

    def __init__(self, text: str) -> None:
        self._tokens: Iterator[str] = (one[1].strip() for one in _TOKEN.finditer(text))
        self._numbers = count(1_000_000)
        self._peeked: str | None = None

    def next(self) -> str | None:
        """Return the next token, or None at the end."""
        token, self._peeked = self._peeked, None
        return next(self._tokens, None) if token is None else token

    def type(self) -> IcebergType:
        """Read a type."""
        from pyiceberg.types import DecimalType, ListType, MapType, StructType

        word = (self.next() or "").lower()
        if word == "array":
            self._expect("<")
            element = self.type()
            self._expect(">")
            return ListType(next(self._numbers), element, element_required=False)
        if word == "map":
            self._expect("<")
            key = self.type()
            self._expect(",")
            value = self.type()
            self._expect(">")
            return MapType(next(self._numbers), key, next(self._numbers), value, False)
        if word == "struct":
            return StructType(*self._members())
        if word == "decimal":
            precision, scale = (*(self._arguments() or [10]), 0)[:2]
            if not 0 <= scale <= precision <= _MOST_DIGITS or not precision:
                raise LookupError(precision)
            return DecimalType(precision, scale)
        plain = _PLAIN[word]
        self._arguments()
        return _named(plain)

    def _members(self) -> Iterator[NestedField]:
        from pyiceberg.types import NestedField

        self._expect("<")
        while True:
            name = self.next() or ""
            self._expect(":")
            yield NestedField(next(self._numbers), name, self.type(), required=False)
            token = self.next()
            if token == ">":
                return
            if token != ",":
                raise LookupError(token)

    def _arguments(self) -> list[int]:
        """Read `(10,2)`, if it is there."""
        token = self.next()
        if token != "(":
            self._peeked = token
            return []
        numbers = []
        while token != ")":
            word = self.next() or ""
            if not word.isdecimal() or len(word) > _MOST_DIGITS:
                raise LookupError(word)
            numbers.append(int(word))
            token = self.next()
            if token not in (",", ")"):
                raise LookupError(token)
        return numbers

    def _expect(self, token: str) -> None:
        found = self.next()
        if found != token:
            raise LookupError(found)


def _named(name: str) -> IcebergType:
    from flowkit.table.evolution import iceberg_type

    return iceberg_type(name)
