"""The few Protocols that flowkit is built around.

Built-ins are found by name, others by entry points (`flowkit.executors`, `flowkit.storages`,
`flowkit.serializers`, `flowkit.secrets_providers`), each loaded when it is used. Every port has a
contract suite in `flowkit.testing` that all implementations pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from msgspec import Struct

from flowkit.values import Attempt, TaskSpec

Buffer = bytes | bytearray | memoryview

Age = float | Callable[[], float]
"""Seconds; or what tells them, asked after a key's age was read, however long that took."""


class Exit(Struct, frozen=True):
    """An attempt ended. `hint` may explain why, when no result was written; it is no truth."""

    attempt: Attempt
    hint: str = ""


class Output(Struct, frozen=True):
    """A line that an attempt wrote, without its newline. `time_s`: Unix time in seconds.

    `ended` False: no newline came; more of the line may follow, or the attempt ended.
    """

    attempt: Attempt
    stream: Literal["stdout", "stderr"]
    time_s: float
    text: bytes
    ended: bool = True


class Executor(Protocol):
    """Starts attempts somewhere, passes on what they print, and notices when they end.

    `echoes`: what attempts print has been shown where it was printed; it only needs keeping.
    """

    echoes: bool

    def submit(self, spec: TaskSpec) -> None:
        """Start an attempt. Returns at once. Raises ExecutorError if it cannot be started."""

    def cancel(self, attempt: Attempt, *, grace_s: float) -> None:
        """Ask an attempt to stop, and kill it after `grace_s`. Unknown attempts are ignored."""

    def reattach(self, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
        """Take over attempts of an earlier runner; returns those that still run."""

    def wait(self, timeout_s: float) -> list[Exit | Output]:
        """Return what happened, waiting at most `timeout_s` for the first of it.

        An attempt's output comes before its exit; its exit comes exactly once.
        """

    def close(self) -> None:
        """Kill what still runs and release everything. May be called twice."""


class Stored(Struct, frozen=True):
    """A key's current bytes and the version to name when swapping them."""

    data: bytes
    version: str


class Storage(Protocol):
    """Bytes under keys, safe for many writers at once; every write is atomic.

    Keys are relative paths of `/`-separated names. A key that would leave the storage raises
    ValueError.
    """

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes, or a range of them. Raises KeyMissing."""

    def map(self, key: str, *, check: Callable[[memoryview], None] | None = None) -> memoryview:
        """Return all bytes as private memory: writing to it changes no stored byte.

        A directory maps a large file; other storages read it. `check` is called with the bytes
        unless the storage knows that nothing touched them since they were written or last
        checked; what it raises is passed on. Raises KeyMissing.
        """

    def size(self, key: str) -> int:
        """Return the number of bytes. Raises KeyMissing."""

    def create(self, key: str, *buffers: Buffer) -> bool:
        """Store the buffers, one after the other; False if the key was already there.

        A key that is there already counts as young again (see `delete`).
        """

    def refresh(self, key: str) -> bool:
        """Make a key count as young again (see `delete`); False if it is not there."""

    def load(self, key: str) -> Stored | None:
        """Return a swappable value with its version, or None."""

    def swap(self, key: str, data: bytes, *, expected: str | None) -> str:
        """Replace a value if its version is `expected` (None: not there yet).

        Returns the new version. Raises VersionMoved.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that start with the folder `prefix`, sorted."""

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the names of the folders directly in the folder `prefix`, sorted."""

    def delete(self, key: str, *, unless_younger_s: Age = 0.0) -> bool:
        """Remove a key; False if it is not there, or younger than `unless_younger_s`.

        Between the look at its age and its removal, nobody makes it young again.
        """

    def clean(self, *, older_than_s: float) -> int:
        """Remove what writers that died left half written; returns how many."""


class Serializer(Protocol):
    """Turns values of some types into a head and large buffers, and back.

    The tag is stored in manifests and never given to another format.
    """

    tag: str

    def accepts(self, value: object) -> bool:
        """Say whether `dump` keeps everything about this value. Must not import a library."""

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer | Sequence[Buffer]]]:
        """Return the head and the buffers. Buffers alias the value where they can.

        A buffer may come in pieces, so that nobody has to copy them together: a list of buffers
        is stored, and loaded, as the one buffer that they make.
        """

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Build the value again; it may keep and alias the buffers."""


class SecretsProvider(Protocol):
    """Fetches secrets from where they are kept: each a set of names and values."""

    def fetch(
        self, id: str, *, options: Mapping[str, object], role: str | None
    ) -> Mapping[str, str]:
        """Return the names and values of a secret; nothing is kept or printed.

        `options` and `role` are what the source says besides. Raises SecretsUnavailable, with a
        message that tells no value; the text of any other exception is shown to nobody.
        """


class StepHook(Protocol):
    """What a decorator may add around a step: one context manager in the worker."""

    def around(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Enter before the user's step runs, leave after it."""
