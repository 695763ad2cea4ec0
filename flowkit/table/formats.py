"""Formats of data files that are not Iceberg's Parquet, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FormatKind: TypeAlias = Literal["parquet", "orc", "csv", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How the rows of a file are written. Only `kind` matters to Parquet; the rest is for text."""

    kind: FormatKind
    columns: tuple[str, ...] = ()
    """Names of columns by position, for files that do not name them; CSV has a header if empty."""
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    null: str | None = ""
    """The text that stands for null; an empty field of any type but text is null anyway."""
    skip_lines: int = 0
    """Lines before the first row, or before the header."""
