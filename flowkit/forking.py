"""Mapping a function over items in forked processes, a process each.

A fork has all that its parent has: the function may be a lambda, and what it uses is not copied.
Results come back through unnamed files, so they may be large.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn, TypeVar

from flowkit.errors import StepRaised, UsageError
from flowkit.openmp import end_openmp_threads
from flowkit.wording import told_status

Item = TypeVar("Item")
Result = TypeVar("Result")

_DONE = b"."
LOOK_AROUND_MS = 500
"""How often to look for children that died without a word while others hold on to their pipe."""


class ChildDied(StepRaised):
    """The process that worked on an item ended without a result, such as by running out of memory.

    `place` is the item's, counted from 0; `status` as `os.waitstatus_to_exitcode` gives it.
    """

    def __init__(self, *, place: int, status: int) -> None:
        super().__init__(
            f"the process that worked on item {place} died: {told_status(status)}",
            hint="if it ran out of memory, let fewer items be worked on at once: `max_parallel=`",
        )
        self.place, self.status = place, status


class ChildTraceback(Exception):
    """The traceback of an exception in another process; the cause of that exception in this one."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def parallel_map(
    func: Callable[[Item], Result],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> list[Result]:
    """Return `func` of every item, in the order of the items.

    Args:
        func: any callable. What it returns has to be pickleable.
        iterable: the items.
        max_parallel: how many processes at once; by default one for each core.
        dir: the folder for results that are on their way; by default that for temporary files.

    Raises:
        Exception: what `func` raised first, with the traceback from the other process. Those that
            still run are killed.
        ChildDied: a process was killed.
    """
    results = dict(_results(func, iterable, _processes(max_parallel), dir))
    return [results[place] for place in range(len(results))]


def parallel_imap_unordered(
    func: Callable[[Item], Result],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> Iterator[Result]:
    """Yield `func` of every item, as they come. Takes and raises what `parallel_map` does.

    Items are taken from the iterable as processes become free; closing the iterator kills those
    that run.
    """
    results = _results(func, iterable, _processes(max_parallel), dir)
    return (result for _, result in results)


@dataclass(frozen=True, slots=True)
class _Child:
    place: int
    pid: int
    pipe: int
    file: IO[bytes]

    def result(self) -> Any:
        """Return what the process has come to, or raise what it raised. It is gone then."""
        os.set_blocking(self.pipe, False)  # of a dead process, another may hold the pipe's end
        try:
            is_done = os.read(self.pipe, 1) == _DONE
        except BlockingIOError:
            is_done = False
        status = self.bury()
        with self.file:
            if not is_done:
                raise ChildDied(place=self.place, status=status)
            self.file.seek(0)
            value, error, text = pickle.load(self.file)
        if error is not None:
            raise error from ChildTraceback(text)
        return value

    def bury(self) -> int:
        """Wait until the process is gone; returns its status."""
        os.close(self.pipe)
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:  # somebody else has waited for it
            return 0

    def kill(self) -> None:
        """End the process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.bury()
        self.file.close()


def _processes(max_parallel: int | None) -> int:
    if max_parallel is None:
        return os.cpu_count() or 1
    if max_parallel < 1:
        raise UsageError(
            f"`max_parallel` is {max_parallel}, and no item could be worked on",
            hint="give a number of at least 1, or leave it away for one process a core",
        )
    return max_parallel


def _results(
    function: Callable[[Any], Any], items: Iterable[Any], most: int, folder: str | None
) -> Iterator[tuple[int, Any]]:
    waiting = enumerate(items)
    running: dict[int, _Child] = {}
    try:
        while True:
            for place, item in islice(waiting, most - len(running)):
                child = _fork(function, place, item, folder)
                running[child.pipe] = child
            if not running:
                return
            for pipe in _heard_of(running):
                child = running.pop(pipe)
                yield child.place, child.result()
    finally:
        for child in running.values():
            child.kill()


def _heard_of(running: dict[int, _Child]) -> list[int]:
    """Wait for children that are done or dead; returns their pipes."""
    poll = select.poll()
    for pipe in running:
        poll.register(pipe, select.POLLIN)
    while True:
        if heard := [pipe for pipe, _ in poll.poll(LOOK_AROUND_MS)]:
            return heard
        # A process that another thread has forked meanwhile may hold the other end of a pipe.
        for pipe, child in running.items():
            if _is_gone(child.pid):
                return [pipe]


def _is_gone(pid: int) -> bool:
    """Say whether a child has ended, and leave it to be waited for."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _fork(function: Callable[[Any], Any], place: int, item: object, folder: str | None) -> _Child:
    file = TemporaryFile(dir=folder)  # noqa: SIM115 (closed with the child)
    ours, theirs = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or else the child would print it again
    end_openmp_threads()
    with warnings.catch_warnings():
        # Python warns of threads; whoever maps over forks has chosen so.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _become_child(function, item, file, theirs)
    os.close(theirs)
    return _Child(place, pid, ours, file)


def _become_child(
    function: Callable[[Any], Any], item: object, file: IO[bytes], pipe: int
) -> NoReturn:
    """Work on an item and end, whatever happens: this must not go on as its parent."""
    status = 1
    try:
        try:
            data = pickle.dumps((function(item), None, ""), protocol=pickle.HIGHEST_PROTOCOL)
        except BaseException as error:
            data = _pickled(error)
        file.write(data)
        file.flush()
        os.write(pipe, _DONE)
        status = 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # the result is what counts
                stream.flush()
        os._exit(status)


def _pickled(error: BaseException) -> bytes:
    """Pickle an exception with its traceback; one that does not come back whole as its text."""
    text = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps((None, error, text), protocol=pickle.HIGHEST_PROTOCOL)
        pickle.loads(data)
    except Exception:
        stand_in = StepRaised(
            f"{type(error).__name__}: {error}", hint="its cause has the traceback"
        )
        data = pickle.dumps((None, stand_in, text), protocol=pickle.HIGHEST_PROTOCOL)
    return data
