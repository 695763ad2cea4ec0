"""`S3`: what users open, read from and write to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from flowkit.errors import UsageError
from flowkit.flow import FlowSpec
from flowkit.s3.addresses import Places, S3Address
from flowkit.s3.connection import Connection
from flowkit.s3.content import ScopeFolder
from flowkit.s3.errors import S3InvalidUrl
from flowkit.s3.fetching import Fetcher, Wanted
from flowkit.s3.listing import Entry, Lister
from flowkit.s3.memory import MemoryBudget
from flowkit.s3.objects import ObjectFacts, S3GetObject, S3Object, S3PutObject, S3Value
from flowkit.s3.reading import WHOLE, Reader, Span
from flowkit.s3.roots import NamesRun, find_root
from flowkit.s3.writing import Writer

if TYPE_CHECKING:
    from flowkit.settings import Settings

Given = TypeVar("Given")

_PARTS_AT_A_TIME = 8


class S3:
    """Reads and writes objects at S3; a context manager.

    ```python
    with S3(s3root="s3://bucket/prefix") as s3:
        s3.put("greeting", "hello")
        s3.get("greeting").text
    ```

    Keys are below the root, or whole URLs where there is none. Bytes come straight into memory,
    up to `memory_mb` for all objects that somebody still has; beyond, they go to temporary files.
    What was read can be had until the scope ends. Threads may share a scope.

    Args:
        tmproot: where the folder for temporary files is made; the system's by default.
        bucket: the root's bucket; with `run`, in place of that of the setting `s3_root`.
        prefix: the root's prefix; with `run`, in place of that of the setting `s3_root`.
        run: `self` in a step, or a `Run`: the root is `Flow/run` below the setting `s3_root`.
        s3root: the root as a URL.
        encryption: how S3 is to encrypt what is written: `AES256` or `aws:kms`.
        memory_mb: in place of the setting `s3_memory_mb`.
        settings: those of this folder by default.

    Raises:
        UsageError: the root is not told, or told twice, or a setting is wrong.
        S3InvalidUrl: the root is no S3 URL.
    """

    def __init__(
        self,
        *,
        tmproot: str | Path | None = None,
        bucket: str | None = None,
        prefix: str | None = None,
        run: FlowSpec | NamesRun | None = None,
        s3root: str | None = None,
        encryption: str | None = None,
        memory_mb: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        if settings is None:
            # What checks settings is slow to import, and a flow's file imports this.
            from flowkit.settings import read_settings

            settings = read_settings(Path.cwd(), {}).settings
        root = find_root(
            s3root=s3root, run=run, bucket=bucket, prefix=prefix, configured=settings.s3_root
        )
        self._places = Places(root)
        self._folder = ScopeFolder(tmproot)
        limit_mb = settings.s3_memory_mb if memory_mb is None else memory_mb
        self._budget = MemoryBudget(limit_mb << 20)
        self._parts = ThreadPoolExecutor(_PARTS_AT_A_TIME, thread_name_prefix="flowkit-s3-part")
        connection = Connection(settings, encryption)
        reader = Reader(connection, self._folder, self._parts)
        self._fetcher = Fetcher(reader, self._folder, settings.s3_workers)
        self._lister = Lister(connection, reader)
        self._writer = Writer(connection, reader)

    def __enter__(self) -> S3:
        self._folder.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the scope: what was read can no longer be had. May be called twice."""
        self._folder.close()
        self._fetcher.close()
        self._parts.shutdown(wait=False, cancel_futures=True)

    def get(
        self,
        key: str | S3GetObject | None = None,
        return_missing: bool = False,
        return_info: bool = True,
    ) -> S3Object:
        """Read an object, or a part of it.

        Args:
            key: what to read; the root itself if it is not given.
            return_missing: return an object that does not exist, in place of an error.
            return_info: of no effect: content type and metadata come with the bytes.

        Raises:
            S3NotFound: there is no such object or bucket.
            S3InvalidRange: the part begins behind the end.
            S3Error: S3 does not serve it, or not completely.
        """
        return self._fetcher.many([self._wanted(key, return_missing)], self._budget)[0]

    def get_many(
        self,
        keys: Iterable[str | S3GetObject],
        return_missing: bool = False,
        return_info: bool = True,
    ) -> list[S3Object]:
        """Read objects, many at a time, in the order of their keys. Raises what `get` raises."""
        wanted = [self._wanted(key, return_missing) for key in _many(keys)]
        return self._fetcher.many(wanted, self._budget)

    def iter_many(
        self, keys: Iterable[str | S3GetObject], return_missing: bool = False
    ) -> Iterator[S3Object]:
        """Yield objects in the order of their keys, while later ones are read ahead.

        One that was yielded counts towards `memory_mb` until the next one is asked for. So any
        number of objects passes through bounded memory, if nobody keeps them.
        Raises what `get` raises.
        """
        wanted = (self._wanted(key, return_missing) for key in _many(keys))
        return self._fetcher.ahead(wanted, self._budget.limit_bytes)

    def get_recursive(self, keys: Iterable[str], return_info: bool = False) -> list[S3Object]:
        """Read all objects below prefixes. Raises what `get` raises."""
        found = self._fetcher.many(self._listed(keys), self._budget)
        return [one for one in found if one.exists]

    def iter_recursive(self, keys: Iterable[str] | None = None) -> Iterator[S3Object]:
        """Yield all objects below prefixes, or below the root, as `iter_many` does."""
        found = self._fetcher.ahead(self._listed(keys), self._budget.limit_bytes)
        return (one for one in found if one.exists)

    def get_all(self, return_info: bool = False) -> list[S3Object]:
        """Read all objects below the root. Raises what `get` raises."""
        found = self._fetcher.many(self._listed(None), self._budget)
        return [one for one in found if one.exists]

    def info(self, key: str | None = None, return_missing: bool = False) -> S3Object:
        """Return an object without its bytes. Raises what `get` raises."""
        wanted = [self._wanted(key, return_missing)]
        return next(self._fetcher.each(self._fetcher.info, wanted))

    def info_many(self, keys: Iterable[str], return_missing: bool = False) -> list[S3Object]:
        """Return objects without their bytes, in the order of their keys."""
        wanted = [self._wanted(key, return_missing) for key in _many(keys)]
        return list(self._fetcher.each(self._fetcher.info, wanted))

    def list_paths(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """List the next level below prefixes, or below the root.

        What is only a prefix of other objects is there too, and does not exist: list it in turn.
        """
        return [
            wanted.named(self._folder, facts)
            for wanted, facts in self._list(keys, self._lister.next_level)
        ]

    def list_recursive(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """List all objects below prefixes, or below the root."""
        return [
            wanted.named(self._folder, facts)
            for wanted, facts in self._list(keys, self._lister.below)
        ]

    def put(
        self,
        key: str | S3PutObject,
        obj: S3Value | None = None,
        overwrite: bool = True,
        content_type: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Write an object and return its URL.

        Args:
            key: where to write; or all of it in one.
            obj: text, bytes, or a file that is open for reading bytes.
            overwrite: if False, an object that is there stays as it is.
            content_type: such as `text/csv`.
            metadata: names and values in printable ASCII; S3 makes names lower case.

        Raises:
            UsageError: the value, the content type or the metadata cannot be sent.
            S3Error: S3 refuses it.
        """
        if isinstance(key, str):
            key = S3PutObject(key, obj, content_type=content_type, metadata=metadata)
        elif obj is not None or content_type is not None or metadata is not None:
            raise UsageError(
                "an `S3PutObject` says all of what is written",
                hint="give the value, `content_type` and `metadata` in it",
            )
        self._put([key], overwrite)
        return str(self._places.find_object(key.key))

    def put_many(
        self, objects: Iterable[tuple[str, S3Value] | S3PutObject], overwrite: bool = True
    ) -> list[tuple[str, str]]:
        """Write objects, many at a time; return key and URL of each that was written.

        Raises what `put` raises; some objects may have been written then.
        """
        given = (
            one if isinstance(one, S3PutObject) else S3PutObject(*_pair(one, "value"))
            for one in _many(objects)
        )
        return self._put(given, overwrite)

    def put_files(
        self,
        key_paths: Iterable[tuple[str, str | Path] | S3PutObject],
        overwrite: bool = True,
    ) -> list[tuple[str, str]]:
        """Write files, many at a time; return key and URL of each that was written.

        Raises what `put` raises; some files may have been written then.
        """
        given = (
            one if isinstance(one, S3PutObject) else _file(*_pair(one, "path"))
            for one in _many(key_paths)
        )
        return self._put(given, overwrite)

    def _put(self, given: Iterable[S3PutObject], overwrite: bool) -> list[tuple[str, str]]:
        seen: set[S3Address] = set()

        def place(one: S3PutObject) -> tuple[S3PutObject, S3Address]:
            address = self._places.find_object(one.key)
            if address in seen:
                raise UsageError(
                    f"`{one.key}` is given twice", hint="write each object once in a call"
                )
            seen.add(address)
            return one, address

        def put(placed: tuple[S3PutObject, S3Address]) -> tuple[str, str] | None:
            one, address = placed
            written = self._writer.put(address, one, overwrite=overwrite)
            return (one.key, str(address)) if written else None

        return [one for one in self._fetcher.each(put, map(place, given)) if one is not None]

    def _wanted(self, key: str | S3GetObject | None, missing_ok: bool) -> Wanted:
        span = WHOLE
        if isinstance(key, S3GetObject):
            span, key = _span_of(key), key.key
        if key is None:
            address = self._root_object()
            key = self._places.key_of(address)
        else:
            address = self._places.find_object(key)
        return Wanted(
            address=address,
            key=key,
            prefix=self._places.prefix,
            span=span,
            missing_ok=missing_ok,
        )

    def _root_object(self) -> S3Address:
        root = self._places.root
        if root is None or not root.key:
            raise UsageError("no key is given, and the root is no object", hint="name a key")
        return root

    def _list(
        self,
        keys: Iterable[str] | None,
        ask: Callable[[S3Address], list[Entry]],
    ) -> Iterator[tuple[Wanted, ObjectFacts | None]]:
        prefixes = self._prefixes(keys)
        for prefix, found in zip(prefixes, self._fetcher.each(ask, prefixes), strict=True):
            for address, facts in found:
                key = self._places.key_of(address)
                # A marker of a folder is listed without the slash in its key, and not found.
                is_marker = facts is not None and not facts.size_bytes
                wanted = Wanted(address=address, key=key, prefix=str(prefix), missing_ok=is_marker)
                yield wanted, facts

    def _listed(self, keys: Iterable[str] | None) -> Iterator[Wanted]:
        return (wanted for wanted, _ in self._list(keys, self._lister.below))

    def _prefixes(self, keys: Iterable[str] | None) -> list[S3Address]:
        if keys is not None:
            return [self._places.find(key) for key in _many(keys)]
        if self._places.root is None:
            raise S3InvalidUrl(
                "no prefix is given, and the scope has no root",
                hint="name prefixes, or open `S3(s3root='s3://bucket/prefix')`",
            )
        return [self._places.root]


def _pair(given: Any, second: str) -> tuple[str, Any]:
    # A text of two letters would pass for one.
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 2:
        raise UsageError(
            f"`{given!r}` is no object to write",
            hint=f"give pairs of key and {second}, or `S3PutObject`s",
        )
    return given[0], given[1]


def _file(key: str, path: str | Path) -> S3PutObject:
    return S3PutObject(key, path=path)


def _many(keys: Iterable[Given]) -> Iterable[Given]:
    if not isinstance(keys, Iterable):
        raise UsageError(f"`{keys!r}` is no list", hint="give a list")
    if isinstance(keys, str):
        # Its letters would be taken for keys.
        raise UsageError(f"`{keys}` is one key, not many", hint=f"give a list: `[{keys!r}]`")
    return keys


def _span_of(part: S3GetObject) -> Span:
    given: tuple[object, ...] = (part.offset, 1 if part.length is None else part.length)
    are_numbers = all(isinstance(one, int) for one in given)
    if not are_numbers or part.offset < 0 or (part.length is not None and part.length < 1):
        raise UsageError(
            f"`{part.key}` has no bytes from {part.offset} of length {part.length}",
            hint="give an offset from 0 and a length from 1, or None to read to the end",
        )
    return Span(part.offset, part.length)
