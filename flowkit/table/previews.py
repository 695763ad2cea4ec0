"""Tables as people like to look at them: a few rows in a terminal, a notebook or a report."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from flowkit.wording import visible

if TYPE_CHECKING:
    import pyarrow

_ROWS: Final = 10
_CELL: Final = 32
_WIDTH: Final = 100


def text_preview(table: pyarrow.Table, *, rows: int = _ROWS, width: int = _WIDTH) -> str:
    """Return the first rows as an aligned table, and how many there are.

    Columns that do not fit into the width are named below it.
    """
    shown = _cells(table, rows)
    names = [visible(name) for name in table.column_names]
    numeric = [_is_numeric(field.type) for field in table.schema]
    widths = [
        max(len(name), *(len(row[at]) for row in shown), 0) if shown else len(name)
        for at, name in enumerate(names)
    ]
    fitting = 0
    taken = -3
    for one in widths:
        taken += one + 3
        if taken > width and fitting:
            break
        fitting += 1
    lines = []
    for row in (names, *shown):
        cells = [
            cell.rjust(widths[at]) if numeric[at] else cell.ljust(widths[at])
            for at, cell in enumerate(row[:fitting])
        ]
        lines.append(" | ".join(cells).rstrip())
    if fitting:
        lines.insert(1, "-+-".join("-" * one for one in widths[:fitting]))
    hidden = names[fitting:]
    return "\n".join(
        [*lines, summary(table) + (f", and columns {_listed(hidden)}" if hidden else "")]
    )


def html_preview(table: pyarrow.Table, *, rows: int = _ROWS) -> str:
    """Return the first rows as an HTML table, with the types of the columns."""
    head = "".join(
        f"<th>{escape(field.name)}<br><small>{escape(str(field.type))}</small></th>"
        for field in table.schema
    )
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in _cells(table, rows)
    )
    return (
        f'<table class="flowkit-data-frame"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody><caption>{escape(summary(table))}</caption></table>"
    )


def summary(table: pyarrow.Table) -> str:
    """Say how many rows a table has."""
    return f"{table.num_rows:,} {'row' if table.num_rows == 1 else 'rows'}"


def _cells(table: pyarrow.Table, rows: int) -> list[list[str]]:
    columns = [column.to_pylist() for column in table.slice(0, rows).columns]
    return [[_cell(value) for value in row] for row in zip(*columns, strict=True)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    # Values come from anywhere, and a terminal obeys what it is sent.
    text = visible(" ".join(str(value).split()))
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def _listed(names: list[str]) -> str:
    few = ", ".join(f"`{name}`" for name in names[:6])
    return few if len(names) <= 6 else f"{few} and {len(names) - 6} more"


def _is_numeric(kind: pyarrow.DataType) -> bool:
    import pyarrow

    types = pyarrow.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))
