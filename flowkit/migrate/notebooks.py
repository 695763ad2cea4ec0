"""Notebooks: the Python in their cells, in JSON that stays laid out as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import product
from typing import Any

from flowkit.migrate.edits import Edit, Findings, Lines, Migration, Remark, edited
from flowkit.migrate.modules import find_in_python, parse
from flowkit.migrate.offers import Offers

_MAGIC = re.compile(r"^([ \t]*)(?:[%!?][^\n]?|[^\n#'\"]*\?$)", re.MULTILINE)
_LAYOUTS = tuple(product((1, 2, 4), (False, True), ("\n", "")))
"""Indentation, whether all is ASCII, and the end of the file, as notebooks are written."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell of code: its place in the notebook from 1, and where its code begins in all code."""

    number: int
    fields: dict[str, Any]
    code: str
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.code)


def migrate_notebook(text: str, offers: Offers) -> Migration:
    """Turn the cells of a notebook, which are one module, into flowkit's.

    What they printed when they last ran stays.

    Raises:
        SyntaxError: a cell cannot be parsed.
        ValueError: it is no JSON.
    """
    document = json.loads(text)
    cells = tuple(_code_cells(document))
    write = _layout_of(document, text)
    # One module: a name that one cell imports is used in others.
    code = "\n".join(_without_magic(cell.code) for cell in cells)
    try:
        found = find_in_python(code, offers)
    except SyntaxError as error:
        raise SyntaxError(_where(cells, code, error)) from error
    remarks = tuple(sorted(_remarks(cells, code, found)))
    if write is None:
        by_hand = Remark(1, "differs", "the notebook is laid out unusually: change it by hand")
        return Migration(text, text, (by_hand, *remarks) if found.edits else remarks)
    for cell in cells:
        edits = [
            Edit(edit.start - cell.start, edit.stop - cell.start, edit.text)
            for edit in found.edits
            if cell.start <= edit.start < cell.stop
        ]
        if edits:
            after = edited(cell.code, edits)
            as_lines = isinstance(cell.fields["source"], list)
            cell.fields["source"] = list(StringIO(after, newline="\n")) if as_lines else after
    return Migration(text, write(document), remarks)


def _code_cells(document: Any) -> Iterator[_Cell]:
    start = 0
    for number, fields in enumerate(document.get("cells", ()), 1):
        if fields.get("cell_type") == "code":
            code = "".join(fields["source"])
            yield _Cell(number, fields, code, start)
            start += len(code) + 1


def _layout_of(document: object, text: str) -> Callable[[object], str] | None:
    """Find the layout in which a document is written as it stands, if it is a known one."""
    for indent, ascii_only, end in _LAYOUTS:

        def write(
            value: object, indent: int = indent, ascii_only: bool = ascii_only, end: str = end
        ) -> str:
            return json.dumps(value, indent=indent, ensure_ascii=ascii_only) + end

        if write(document) == text:
            return write
    return None


def _without_magic(code: str) -> str:
    """Replace what is no Python by what is, character for character: places must stay."""
    try:
        parse(code)
    except (SyntaxError, ValueError):
        pass
    else:
        # A line may begin with `%` without being magic.
        return code
    if code.lstrip().startswith("%%"):
        return re.sub(r"(?m)^[^\n]", "#", code)
    return _MAGIC.sub(_expression, code)


def _expression(magic: re.Match[str]) -> str:
    width = len(magic[0]) - len(magic[1])
    return magic[1] + "0".ljust(width, "#")


def _remarks(cells: tuple[_Cell, ...], code: str, found: Findings) -> Iterator[Remark]:
    lines = Lines(code)
    for remark in found.remarks:
        start = lines.offset(remark.line, 0)
        cell = next(cell for cell in cells if cell.start <= start <= cell.stop)
        line = remark.line - lines.line_at(cell.start) + 1
        yield Remark(1, remark.kind, f"cell {cell.number}, line {line}: {remark.text}")


def _where(cells: tuple[_Cell, ...], code: str, error: SyntaxError) -> str:
    start = Lines(code).offset(error.lineno or 1, 0)
    cell = next((cell for cell in cells if cell.start <= start <= cell.stop), cells[-1])
    return f"{error.msg} in cell {cell.number}"
