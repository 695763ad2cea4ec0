"""Reading objects: whole or in part, complete or not at all.

The client asks again when it is refused or cut off, and goes on where an answer broke off. What
is left to do here: a large object is read in several parts at a time, all of one version; and the
bytes that came are counted. Every request is for a range, as its answer states the size of the
whole beside its own length, so that a wrong length is noticed.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from flowkit.errors import UsageError
from flowkit.s3.content import FileContent, MemoryContent
from flowkit.s3.errors import S3Interrupted, S3InvalidRange, S3NotFound, S3ObjectChanged
from flowkit.s3.objects import ObjectFacts, RangeInfo
from flowkit.s3.translation import translated

if TYPE_CHECKING:
    from obstore import Bytes, GetOptions, GetResult

    from flowkit.s3.addresses import S3Address
    from flowkit.s3.connection import Connection
    from flowkit.s3.content import ScopeFolder
    from flowkit.s3.memory import Held

T = TypeVar("T")

PART_BYTES: Final = 8 << 20
"""The most that is asked for at once. Larger parts are no faster, and take more memory."""
_LONGEST_PAUSE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Span:
    """What to read of an object: `length` bytes from `offset`, or to the end."""

    offset: int = 0
    length: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the object, whatever its size."""
        return self.offset == 0 and self.length is None


WHOLE: Final = Span()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read of an object, and what S3 says of it."""

    facts: ObjectFacts
    content: MemoryContent | FileContent
    range_info: RangeInfo | None


@dataclass(frozen=True, slots=True)
class _Source:
    """One version of an object; `etag` keeps later requests from another one."""

    address: S3Address
    etag: str | None = None


class Reader:
    """Reads objects in the calling thread, and the parts of large ones in a pool's."""

    def __init__(self, connection: Connection, folder: ScopeFolder, parts: Executor) -> None:
        self._connection, self._folder, self._parts = connection, folder, parts
        self._known_buckets: set[str] = set()

    def fetch(
        self, address: S3Address, span: Span, reserve: Callable[[int], Held | None]
    ) -> Fetched:
        """Read an object or a part of it.

        Args:
            address: where the object is.
            span: what to read of it.
            reserve: called once with the number of bytes; what it returns holds room for them in
                memory, and None means that they go to a file.

        Raises:
            S3NotFound: the object or its bucket is missing.
            S3InvalidRange: the part begins behind the end.
            S3ObjectChanged: it was replaced meanwhile.
            S3Error: anything else that S3 refuses, or does not complete.
        """
        stop = span.offset + min(PART_BYTES, span.length or PART_BYTES)
        source = _Source(address)
        try:
            first = self.insist(lambda: self._ask(source, span.offset, stop))
        except S3InvalidRange:
            # Every range lies behind the end of an empty object.
            facts = self.info(address)
            held = reserve(0) if span.is_whole and not facts.size_bytes else None
            if held is None:
                raise
            return Fetched(facts, MemoryContent(b"", held), None)
        facts = _facts_of(first)
        end = facts.size_bytes
        if span.length is not None:
            end = min(end, span.offset + span.length)
        held = reserve(end - span.offset)
        content = self._read(_Source(address, facts.etag), first, (span.offset, end), held)
        if span.is_whole:
            return Fetched(facts, content, None)
        return Fetched(facts, content, RangeInfo(facts.size_bytes, span.offset, end - span.offset))

    def info(self, address: S3Address) -> ObjectFacts:
        """Return what S3 says of an object. Raises what `fetch` raises."""
        try:
            result = self.insist(lambda: self._get(_Source(address), {"head": True}))
        except S3NotFound:
            self._check_bucket(address)
            raise
        return _facts_of(result)

    def insist(self, ask: Callable[[], T]) -> T:
        """Ask, and again after a pause as long as the answer breaks off.

        Raises:
            S3Interrupted: it did so once too often.
        """
        patience = self._connection.patience
        # The client has asked again already where it could: not as often once more.
        give_up_at = time.monotonic() + patience.timeout_s * patience.retries
        for attempt in range(patience.retries):
            try:
                return ask()
            except S3Interrupted:
                if time.monotonic() > give_up_at:
                    raise
                longest_s = min(_LONGEST_PAUSE_S, 0.1 * 2**attempt)
                self._folder.ended.wait(random.uniform(0, longest_s))
                self._folder.check_open()
        return ask()

    def _read(
        self,
        source: _Source,
        first: GetResult,
        span: tuple[int, int],
        held: Held | None,
    ) -> MemoryContent | FileContent:
        start, end = span
        if end - start <= PART_BYTES and held is not None:
            return MemoryContent(self._part(source, start, end, first), held)
        file = None if held is not None else self._folder.create_file()
        target = _Target(end - start, file)
        with target:

            def copy(at: int, answer: GetResult | None = None) -> None:
                self._folder.check_open()
                stop = min(at + PART_BYTES, end)
                target.write(at - start, self._part(source, at, stop, answer))

            others = range(start + PART_BYTES, end, PART_BYTES)
            waiting = [self._parts.submit(copy, at) for at in others]
            try:
                copy(start, first)
                for part in waiting:
                    part.result()
            finally:
                for part in waiting:
                    part.cancel()
        if held is not None:
            return MemoryContent(target.memory, held)
        assert file is not None
        return FileContent(file)

    def _part(self, source: _Source, start: int, stop: int, answer: GetResult | None) -> Bytes:
        """Return exactly the bytes from `start` to `stop`; `answer` is taken first, if given."""
        answers = [answer] if answer is not None else []

        def ask() -> Bytes:
            result = answers.pop() if answers else self._ask(source, start, stop)
            with translated(source.address):
                data = result.bytes()
            if tuple(result.range) != (start, stop) or len(data) != stop - start:
                raise S3Interrupted(
                    f"{len(data)} bytes of `{source.address}` came instead of {stop - start}",
                    hint="the server or a proxy before it is broken; try again",
                )
            return data

        return self.insist(ask)

    def _ask(self, source: _Source, start: int, stop: int) -> GetResult:
        result = self._get(source, {"range": (start, stop)})
        if source.etag is not None and result.meta["e_tag"] != source.etag:
            # Servers are free to ignore the condition.
            raise S3ObjectChanged(str(source.address))
        return result

    def _get(self, source: _Source, options: GetOptions) -> GetResult:
        import obstore

        if source.etag is not None:
            options["if_match"] = source.etag
        store = self._connection.store(source.address.bucket)
        with translated(source.address):
            return obstore.get(store, source.address.key, options=options)

    def _check_bucket(self, address: S3Address) -> None:
        """Raise S3NotFound if it is the bucket that is missing: an answer to HEAD cannot tell."""
        import obstore

        if address.bucket not in self._known_buckets:
            store = self._connection.store(address.bucket)
            with translated(address):
                obstore.list_with_delimiter(store, address.key)
            self._known_buckets.add(address.bucket)


class _Target:
    """Where parts of one object come together: in memory, or in a file."""

    def __init__(self, size_bytes: int, file: Path | None) -> None:
        self.memory = bytearray(size_bytes if file is None else 0)
        # Assigning to a slice of the array itself would copy the part twice.
        self._view = memoryview(self.memory)
        self._file, self._descriptor = file, -1

    def write(self, at: int, data: Bytes) -> None:
        """Put a part where it belongs; threads may do so at a time."""
        if self._file is None:
            self._view[at : at + len(data)] = memoryview(data)
            return
        view = memoryview(data)
        while view:
            try:
                written = os.pwrite(self._descriptor, view, at)
            except OSError as error:
                raise UsageError(
                    f"`{self._file}` cannot be written: {error.strerror}",
                    hint="name a folder with more room as `tmproot`",
                ) from error
            view, at = view[written:], at + written

    def __enter__(self) -> None:
        if self._file is not None:
            self._descriptor = os.open(self._file, os.O_WRONLY)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._descriptor)


def _facts_of(result: GetResult) -> ObjectFacts:
    meta = result.meta
    attributes = {str(name): text for name, text in result.attributes.items()}
    return ObjectFacts(meta["size"], meta["last_modified"], meta["e_tag"], attributes)
