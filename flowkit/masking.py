"""Secrets as they may be shown: not at all.

A mask knows spellings of secret values and takes them out of text. Each process has one, `hidden`,
which learns every secret that the process fetches and forgets none before it ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

SHORTEST: Final = 4
"""Characters that a value needs to be masked: shorter ones stand everywhere by chance."""
SHORTEST_SOUGHT: Final = 8
"""Bytes that a value needs to be sought in data, where four of them come about by chance."""
LONGEST: Final = 230
"""Characters of a value that are masked in one piece; longer ones are masked in several.

No spelling of so many is longer than what a pipe writes at once."""
MASKED: Final = b"***"

Listener = Callable[[bytes], None]


class Mask:
    """Takes secrets out of text, line by line: no spelling that it knows goes across lines."""

    def __init__(self) -> None:
        self._spellings: set[bytes] = set()
        self._pattern: re.Pattern[bytes] | None = None
        self._listener: Listener | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to mask."""
        return bool(self._spellings)

    def hide(self, values: Iterable[str]) -> None:
        """Mask these values from now on, also as Python, JSON, HTML and URLs write them."""
        for value in values:
            for spelling in _spellings(value):
                self.learn(spelling)

    def learn(self, spelling: bytes) -> None:
        """Mask just these bytes from now on."""
        if not spelling or spelling in self._spellings:
            return
        self._spellings.add(spelling)
        # The longest first: one that begins like a shorter one is not to be left half shown.
        ordered = sorted(self._spellings, key=lambda one: (-len(one), one))
        self._pattern = re.compile(b"|".join(map(re.escape, ordered)))
        if self._listener is not None:
            self._listener(spelling)

    def tell(self, listener: Listener) -> None:
        """Call this with every spelling that is learned from now on."""
        self._listener = listener

    def data(self, data: bytes) -> bytes:
        """Return bytes of text with every secret in them masked."""
        return self._pattern.sub(MASKED, data) if self._pattern is not None else data

    def text(self, text: str) -> str:
        """Return text with every secret in it masked."""
        if self._pattern is None:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of some text can be shown, masked, and the rest, which may begin a secret."""
        line = data.rfind(b"\n") + 1
        if self._pattern is None or line == len(data):
            return self.data(data), b""
        taken = [match.span() for match in self._pattern.finditer(data, line)]
        for at in range(line, len(data)):
            rest = data[at:]
            if any(begin < at < end for begin, end in taken):
                continue
            if any(len(one) > len(rest) and one.startswith(rest) for one in self._spellings):
                return self.data(data[:at]), rest
        return self.data(data), b""

    def is_in(self, data: bytes | bytearray | memoryview) -> bool:
        """Say whether bytes of any kind hold a secret that is too long to be there by chance."""
        sought = (one for one in self._spellings if len(one) >= SHORTEST_SOUGHT)
        # Patterns look at any buffer where it is; they are many, and each is as fast as a search.
        return any(re.search(re.escape(one), data) is not None for one in sought)

    def is_all_of(self, data: bytes) -> bool:
        """Say whether bytes are a secret in double quotes and nothing else."""
        return data[:1] == data[-1:] == b'"' and data[1:-1] in self._spellings


hidden = Mask()
"""What this process has fetched."""


def _spellings(value: str) -> Iterator[bytes]:
    """Yield the ways in which the lines of a value may be written."""
    # Here, as all processes of flowkit import this module, and few see a secret.
    import html
    import json
    from urllib.parse import quote, quote_plus

    for line in value.splitlines():
        for piece in _pieces(line.strip()):
            escaped = piece.encode("unicode_escape")
            for text in (
                piece,
                repr(piece)[1:-1],
                ascii(piece)[1:-1],
                repr(piece.encode("utf-8", "surrogatepass"))[2:-1],
                escaped.decode("ascii"),
                repr(escaped)[2:-1],
                json.dumps(piece)[1:-1],
                json.dumps(piece, ensure_ascii=False)[1:-1],
                html.escape(piece),
                quote(piece, safe=""),
                quote(piece),
                quote_plus(piece),
            ):
                yield text.encode("utf-8", "surrogatepass")


def _pieces(line: str) -> Iterator[str]:
    """Cut a line into pieces of one size, if it is long; none of a line that is too short."""
    if len(line) < SHORTEST:
        return
    size = -(-len(line) // -(-len(line) // LONGEST))
    for at in range(0, len(line), size):
        yield line[at : at + size]
