"""Keys of JSON in the spelling of the table's columns: Hive writes and reads them in any case."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import pyarrow

Lines: TypeAlias = bytes | memoryview


def spellings(fields: Iterable[pyarrow.Field]) -> dict[str, str]:
    """Return how columns are spelled, and the fields inside them, by their names in lower case.

    A name that is spelled in two ways, such as `id` and `ID`, is left out: its case tells.
    """
    found: dict[str, set[str]] = {}
    for name in _names(fields):
        found.setdefault(name.lower(), set()).add(name)
    return {lower: names.pop() for lower, names in found.items() if len(names) == 1}


def starts_with_null(lines: Lines) -> bool:
    """Say whether the first value in lines of JSON is `null`, which makes Arrow crash."""
    return re.match(rb"\s*null", lines) is not None


class Respelling:
    """Puts keys of JSON, at any depth, into the spelling of the columns that they mean."""

    def __init__(self, spelled: Mapping[str, str]) -> None:
        """Take what `spellings` returned."""
        self._spelled = spelled
        own = b"|".join(re.escape(name.encode()) for name in spelled.values())
        any_case = b"|".join(map(_any_case, spelled))
        # A key is text before a colon. No quote inside of text is without a backslash before it.
        self._keys = re.compile(rb'"(?<!\\")(?!(?:%b)")(%b)"(?=\s*:)' % (own, any_case))
        self._other = "|".join(map(_other_case, spelled.values()))

    def apply(self, lines: Lines) -> bytes | None:
        """Return lines with their keys spelled so; None if they are already, or none is known."""
        if not self._spelled or not self._may_differ(lines):
            return None
        changed, count = self._keys.subn(self._own, lines)
        return changed if count else None

    def _may_differ(self, lines: Lines) -> bool:
        """Say whether a name is there in another spelling: at the speed of memory, or nearly."""
        import pyarrow
        import pyarrow.compute as pc

        offsets = pyarrow.py_buffer(array("q", [0, len(lines)]))
        whole = pyarrow.Array.from_buffers(
            pyarrow.large_binary(), 1, [None, offsets, pyarrow.py_buffer(lines)]
        )
        return bool(pc.match_substring_regex(whole, f'"(?:{self._other})"')[0].as_py())

    def _own(self, found: re.Match[bytes]) -> bytes:
        return b'"%b"' % self._spelled[found[1].decode().lower()].encode()


class RespelledRows:
    """Reads lines of JSON, whose keys are mostly spelled as they should be.

    To look at the keys takes as long as to read the rows several times. So lines are read as they
    are, and looked at only if what was read leaves a doubt. Where keys did differ, the next
    lines are looked at first.
    """

    def __init__(
        self, respelling: Respelling, schema: pyarrow.Schema, *, are_all_columns: bool
    ) -> None:
        """Take the columns to read, and whether those are all that lines should have.

        If they are, and no other key is found, there is no doubt.
        """
        self._respelling, self._schema = respelling, schema
        self._differ, self._no_others = False, are_all_columns

    def read(self, lines: Lines) -> pyarrow.RecordBatch:
        """Read lines as one batch. Raises pyarrow.ArrowInvalid."""
        import pyarrow

        if not self._differ:
            if self._no_others:
                try:
                    return self._parsed(lines, "error")
                except pyarrow.ArrowInvalid:
                    self._no_others = False
            rows = self._parsed(lines, "ignore")
            # Without nulls, each key was found in each row.
            if not any(map(_has_nulls, rows.columns)):
                return rows
        changed = self._respelling.apply(lines)
        if changed is None and not self._differ:
            return rows
        self._differ = changed is not None
        return self._parsed(lines if changed is None else changed, "ignore")

    def _parsed(self, lines: Lines, others: str) -> pyarrow.RecordBatch:
        import pyarrow
        import pyarrow.json

        if starts_with_null(lines):
            return self._parsed(b"{}\n" + bytes(lines), others).slice(1)
        reading = pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        options = pyarrow.json.ParseOptions(
            explicit_schema=self._schema, unexpected_field_behavior=others
        )
        try:
            source = pyarrow.BufferReader(pyarrow.py_buffer(lines))
            with pyarrow.json.open_json(source, reading, options) as reader:
                return reader.read_next_batch()
        except pyarrow.ArrowInvalid as error:
            if "Empty JSON" not in str(error):
                raise
            return pyarrow.RecordBatch.from_pylist([], self._schema)


def _has_nulls(values: pyarrow.Array) -> bool:
    """Say whether a column, or one inside it, has nulls: its key may be spelled in another way."""
    import pyarrow

    if values.null_count:
        return True
    if pyarrow.types.is_struct(values.type):
        return any(map(_has_nulls, values.flatten()))
    if pyarrow.types.is_list(values.type):
        return _has_nulls(values.flatten())
    return False


def _names(fields: Iterable[pyarrow.Field]) -> Iterator[str]:
    import pyarrow

    for field in fields:
        yield field.name
        kind = field.type
        while pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
            kind = kind.value_type
        if pyarrow.types.is_struct(kind):
            yield from _names(kind)


def _any_case(name: str) -> bytes:
    # Bytes know no case but that of ASCII; and `lower` is what leads back to the name.
    forms = (dict.fromkeys((one, one.upper())) for one in name)
    return b"".join(
        b"(?:%b)"
        % b"|".join(re.escape(form.encode()) for form in pair if form.lower() == next(iter(pair)))
        for pair in forms
    )


def _other_case(name: str) -> str:
    """Return an expression for the spellings of a name that are not its own: one letter differs."""
    found = []
    for at, own in enumerate(name):
        others = {form for form in (own.lower(), own.upper()) if form.lower() == own.lower()}
        for other in sorted(others - {own}):
            rest = _any_case(name[at + 1 :].lower()).decode("latin-1")
            found.append(f"{_latin(name[:at])}{_latin(other)}{rest}")
    return "|".join(map(_ascii, found)) or "$^"


def _latin(text: str) -> str:
    return re.escape(text.encode()).decode("latin-1")


def _ascii(pattern: str) -> str:
    # The expression is matched with bytes, and given as text.
    return "".join(one if one < "\x80" else f"\\x{ord(one):02x}" for one in pattern)
