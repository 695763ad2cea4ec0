"""Keys of JSON in the spelling of the table's columns: Hive writes and reads them in any case."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


def spellings(fields: Iterable[pyarrow.Field]) -> dict[str, str]:
    """Return how columns are spelled, and the fields inside them, by their names in lower case.

    A name that is spelled in two ways, such as `id` and `ID`, is left out: its case tells.
    """
    found: dict[str, set[str]] = {}
    for name in _names(fields):
        found.setdefault(name.lower(), set()).add(name)
    return {lower: names.pop() for lower, names in found.items() if len(names) == 1}


def respelled(source: Any, spelled: Mapping[str, str]) -> Any:
    """Return lines of JSON to read from, in which these keys are spelled so, at any depth.

    Args:
        source: what to read the lines from; it is closed with what is returned.
        spelled: what `spellings` returned.
    """
    return _Respelled(source, spelled) if spelled else source


def _names(fields: Iterable[pyarrow.Field]) -> Iterator[str]:
    import pyarrow

    for field in fields:
        yield field.name
        kind = field.type
        while pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
            kind = kind.value_type
        if pyarrow.types.is_struct(kind):
            yield from _names(kind)


class _Respelled(io.RawIOBase):
    """A file whose lines pass through a substitution: quick where there is nothing to change."""

    def __init__(self, source: Any, spelled: Mapping[str, str]) -> None:
        self._source, self._spelled = source, spelled
        own = b"|".join(re.escape(name.encode()) for name in spelled.values())
        any_case = b"|".join(map(_any_case, spelled))
        # A key is text before a colon. No quote inside of text is without a backslash before it.
        self._keys = re.compile(rb'(?<!\\)"(?!(?:%b)")(%b)"(?=\s*:)' % (own, any_case))
        self._ready, self._line, self._ended = b"", bytearray(), False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while not self._ended and (size < 0 or len(self._ready) < size):
            block = self._source.read(size) if size >= 0 else self._source.read()
            self._ended = not block
            # Whole lines only: no key is cut in two.
            end = len(block) if self._ended else block.rfind(b"\n") + 1
            self._line += block[:end]
            if end or self._ended:
                self._ready += self._keys.sub(self._own, bytes(self._line))
                self._line.clear()
            self._line += block[end:]
        if size < 0:
            size = len(self._ready)
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()

    def _own(self, found: re.Match[bytes]) -> bytes:
        return b'"%b"' % self._spelled[found[1].decode().lower()].encode()


def _any_case(name: str) -> bytes:
    # Bytes know no case but that of ASCII; and `lower` is what leads back to the name.
    forms = (dict.fromkeys((one, one.upper())) for one in name)
    return b"".join(
        b"(?:%b)"
        % b"|".join(re.escape(form.encode()) for form in pair if form.lower() == next(iter(pair)))
        for pair in forms
    )
