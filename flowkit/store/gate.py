"""The way to a store's bytes: only after its format was found to be known."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from flowkit import wire
from flowkit.errors import Corrupt, KeyMissing, StoreTooNew
from flowkit.ports import Storage
from flowkit.store.envelope import open_record, seal_record
from flowkit.store.keys import FORMAT

FORMAT_VERSION: Final = 1

_MAX_BYTES: Final = 64 << 10
"""Of `format.json`, whose digest covers all of it: what is longer is none."""


_MENDING: Final = (
    "move `format.json` out of the store: the next run makes it anew; "
    "`flowkit store verify` lists what else is damaged"
)


def _stated(data: bytes) -> int:
    """Return the version that a `format.json` states. Raises Corrupt."""
    body = open_record("format", data, key=FORMAT)
    # Later versions may state more than we know of.
    version = wire.decode(dict[str, Any], bytes(body), name=FORMAT).get("format")
    if not isinstance(version, int) or version < 1:
        raise Corrupt(FORMAT, "it states no format")
    return version


class Gate:
    """A storage behind a look at its `format.json`, at first use and only then.

    `is_open`: there is no look.

    Raises:
        StoreTooNew: a newer flowkit wrote the store.
        Corrupt: its `format.json` is damaged.
    """

    def __init__(self, storage: Storage, *, is_open: bool = False) -> None:
        self._storage = storage
        self._is_open = is_open

    def opened(self) -> Gate:
        """Return a gate to the same storage that does not look, for whoever looks for damage."""
        return Gate(self._storage, is_open=True)

    @cached_property
    def reading(self) -> Storage:
        """The storage, to read from. A store that is not there yet reads as empty."""
        self._check()
        return self._storage

    @cached_property
    def writing(self) -> Storage:
        """The storage, to write to. Writes `format.json` if the store is new."""
        if not self._check():
            body = wire.encode({"format": FORMAT_VERSION})
            self._storage.create(FORMAT, *seal_record("format", body, key=FORMAT))
            # Somebody else, with another flowkit, may have been quicker.
            self._check()
        return self._storage

    def _check(self) -> bool:
        """Say whether the format is there; raise if it is one that we cannot read."""
        if self._is_open:
            return True
        try:
            data = self._storage.read(FORMAT, length=_MAX_BYTES)
        except KeyMissing:
            return False
        try:
            found = _stated(data)
        except Corrupt as error:
            raise Corrupt(FORMAT, error.reason, hint=_MENDING) from error
        if found > FORMAT_VERSION:
            raise StoreTooNew(found=found, known=FORMAT_VERSION)
        return True
