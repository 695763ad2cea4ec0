"""Many objects at a time, handed out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from flowkit.s3.errors import S3NotFound
from flowkit.s3.memory import Held, MemoryBudget
from flowkit.s3.objects import ObjectFacts, S3Object
from flowkit.s3.reading import WHOLE, Fetched, Span

if TYPE_CHECKING:
    from flowkit.s3.addresses import S3Address
    from flowkit.s3.content import ScopeFolder
    from flowkit.s3.reading import Reader

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An object to read, and how the scope calls it.

    `missing_ok`: hand out an object that does not exist, in place of an error.
    """

    address: S3Address
    key: str
    prefix: str
    span: Span = WHOLE
    missing_ok: bool = False

    def named(self, folder: ScopeFolder, fetched: Fetched | ObjectFacts | None) -> S3Object:
        """Return the object, with what is known and was read of it."""
        whole = fetched if isinstance(fetched, Fetched) else None
        return S3Object(
            url=str(self.address),
            key=self.key,
            prefix=self.prefix,
            folder=folder,
            facts=fetched.facts if isinstance(fetched, Fetched) else fetched,
            content=whole.content if whole else None,
            range_info=whole.range_info if whole else None,
        )


class Fetcher:
    """Reads in the threads of a pool; as many tasks are there at a time as there are threads."""

    def __init__(self, reader: Reader, folder: ScopeFolder, workers: int) -> None:
        self._reader, self._folder, self._workers = reader, folder, workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="flowkit-s3")

    def close(self) -> None:
        """Take no more tasks, and forget those that have not begun. May be called twice."""
        # An answer that is awaited still, which only happens after an error, is not waited for.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def each(self, do: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
        """Yield what `do` returns for each item, in order, running ahead of the caller."""
        left = iter(items)
        running: deque[Future[U]] = deque()
        try:
            while True:
                self._folder.check_open()
                for item in islice(left, self._workers - len(running)):
                    running.append(self._pool.submit(do, item))
                if not running:
                    return
                yield running.popleft().result()
        finally:
            for task in running:
                task.cancel()

    def fetch(self, wanted: Wanted, reserve: Callable[[int], Held | None]) -> S3Object:
        """Read one object in the calling thread. Raises what `Reader.fetch` raises."""
        try:
            fetched = self._reader.fetch(wanted.address, wanted.span, reserve)
        except S3NotFound as error:
            if error.key is None or not wanted.missing_ok:
                raise
            return wanted.named(self._folder, None)
        return wanted.named(self._folder, fetched)

    def info(self, wanted: Wanted) -> S3Object:
        """Ask what S3 says of an object, in the calling thread."""
        try:
            return wanted.named(self._folder, self._reader.info(wanted.address))
        except S3NotFound as error:
            if error.key is None or not wanted.missing_ok:
                raise
            return wanted.named(self._folder, None)

    def many(self, wanted: Iterable[Wanted], budget: MemoryBudget) -> list[S3Object]:
        """Read objects: into memory as long as the budget lasts, then into files."""
        return list(self.each(partial(self.fetch, reserve=budget.take), wanted))

    def ahead(self, wanted: Iterable[Wanted], limit_bytes: int) -> Iterator[S3Object]:
        """Yield objects, holding no more than so many bytes of those read and not yet passed.

        One that is larger than that goes to a file.
        """
        budget = MemoryBudget(limit_bytes)

        def fetch(numbered: tuple[int, Wanted]) -> tuple[S3Object, Held | None]:
            turn, one = numbered
            held: list[Held | None] = []

            def reserve(size_bytes: int) -> Held | None:
                held.append(budget.take_in_turn(turn, size_bytes))
                return held[0]

            try:
                return self.fetch(one, reserve), held[0] if held else None
            finally:
                budget.skip(turn)

        try:
            for found, held in self.each(fetch, enumerate(wanted)):
                yield found
                if held is not None:
                    held.release()
        finally:
            budget.end()
