"""Keys of partitions: from `day=2026-11-26/shop=a%2Fb` to typed values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from flowkit.table.errors import PartitionsInvalid
from flowkit.table.filters import plain_value
from flowkit.table.targets import in_days_or_micros

if TYPE_CHECKING:
    import pyarrow

DEFAULT_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"
"""What stands for null, and for empty text, in the name of a folder."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INT, _LONG = 1 << 31, 1 << 63

Pairs = tuple[tuple[str, str | None], ...]
"""Keys with their values as text, None for null, in the order of the folders."""


def pairs_of(folders: Iterable[str], *, table: str) -> Pairs:
    """Read the names of nested folders. Raises PartitionsInvalid if one is not `key=value`."""
    return tuple(_pair(name, table) for name in folders)


def infer_type(values: Iterable[str | None]) -> pyarrow.DataType:
    """Return the type of a key by all its values: an integer, a date, or text."""
    import pyarrow

    known = [one for one in values if one is not None]
    if known and all(map(_INTEGER.fullmatch, known)):
        largest = max(abs(int(one)) for one in known)
        if largest < _LONG:
            return pyarrow.int32() if largest < _INT else pyarrow.int64()
    if known and all(map(_is_date, known)):
        return pyarrow.date32()
    return pyarrow.large_string()


def typed_values(
    key: str, values: Sequence[str | None], kind: pyarrow.DataType, *, table: str
) -> pyarrow.Array:
    """Return values of a key in its type.

    Raises:
        PartitionsInvalid: a value cannot be of this type.
    """
    import pyarrow

    text = pyarrow.array(values, pyarrow.large_string())
    try:
        return text.cast(kind)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise PartitionsInvalid(
            f"table `{table}` has partitions whose `{key}` is no `{kind}`: "
            f"{' '.join(str(error).split())}",
            hint=f"say that it is text: `types={{{key!r}: 'string'}}`",
        ) from error


def plain_values(values: pyarrow.Array) -> list[Any]:
    """Return typed values as shards have them: dates in days, times in microseconds."""
    return [
        None if one is None else plain_value(in_days_or_micros(one)) for one in values.to_pylist()
    ]


def _pair(name: str, table: str) -> tuple[str, str | None]:
    key, equals, value = name.partition("=")
    if not key or not equals:
        raise PartitionsInvalid(
            f"table `{table}` has a folder `{name}`, which is no partition",
            hint="partitions are folders named `key=value`: move the files, or name the folder "
            "below which all are",
        )
    try:
        decoded = unquote(value, errors="strict")
        return unquote(key, errors="strict"), None if value == DEFAULT_PARTITION else decoded
    except UnicodeDecodeError as error:
        raise PartitionsInvalid(
            f"table `{table}` has a folder `{name}`, whose name is no text in UTF-8",
            hint="rename the folder",
        ) from error


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
