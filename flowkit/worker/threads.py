"""Threads that Python does not know: whose they are, and whether that library survives a fork.

A thread is known by what lies at the base of its stack: code of the library that started it. Only
a thread that waits can be looked at, which idle pools do.
"""

from __future__ import annotations

import os
import re
import struct
import sys
import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_TASKS = Path("/proc/self/task")

SURVIVORS = re.compile(
    # These make their threads anew in a forked child, by handlers of their own.
    r"lib\w*openblas|libarrow|libi?omp\d|libmkl_|_?pypocketfft"
)
"""Libraries whose idle threads a fork may leave behind."""

_EXPENDABLE = frozenset({"jemalloc_bg_thd", "polars-ooc-clea"})
"""Threads, by the names that their libraries give them, that a child can do without."""

_PLUMBING = re.compile(r"libc\.|libc-|libstdc\+\+|libgcc_s|libpthread|ld-|libm\.|libc\+\+")
"""Libraries that are on the stack of anybody's thread."""

_MOST_STACK = 1 << 16
_PATIENCE_S = 0.5
"""How long a thread may still be at work before it counts as busy; idle ones spin for a while."""


def unknown_thread() -> str | None:
    """Describe a thread of this process that may not survive a fork, if there is one.

    Where the system does not tell of threads, there is none.
    """
    if sys.platform != "linux":
        return None
    deadline = time.monotonic() + _PATIENCE_S
    passed = {os.getpid()}
    while True:
        others = {int(one) for one in os.listdir(_TASKS)} - passed
        if not others:
            return None
        memory = _Memory.read()
        busy = False
        for thread in sorted(others):
            try:
                told = _tell(thread, memory)
            except FileNotFoundError:  # it has ended meanwhile
                continue
            except (OSError, ValueError):  # a hardened kernel does not show what threads do
                told = _told_by_name(thread)
            if told is not None and told.is_busy and time.monotonic() < deadline:
                busy = True
            elif told is not None:
                return told.text
            else:
                passed.add(thread)
        if busy:
            time.sleep(0.005)


@dataclass(frozen=True, slots=True)
class _Told:
    text: str
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class _Memory:
    """Where libraries have their code, and what else is mapped."""

    starts: list[int]
    ends: list[int]
    owners: list[str]
    """For each mapping, the library whose code it is; empty if it is no code."""

    @classmethod
    def read(cls) -> _Memory:
        starts, ends, owners = [], [], []
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                span, rights, _, _, _, *path = line.split(None, 5)
                start, _, end = span.partition("-")
                starts.append(int(start, 16))
                ends.append(int(end, 16))
                is_code = "x" in rights and path and path[0].startswith("/")
                owners.append(os.path.basename(path[0].strip()) if is_code else "")
        return cls(starts, ends, owners)

    def find(self, address: int) -> int:
        """Return the mapping that an address is in. Raises ValueError."""
        at = bisect_right(self.starts, address) - 1
        if at < 0 or address >= self.ends[at]:
            raise ValueError(f"nothing is mapped at {address:#x}")
        return at

    def owner(self, words: Iterable[int]) -> str | None:
        """Return the first library, of those that are anybody's own, whose code a word is in."""
        starts, ends, owners = self.starts, self.ends, self.owners
        for word in words:
            at = bisect_right(starts, word) - 1
            if at >= 0 and word < ends[at] and owners[at] and not _PLUMBING.match(owners[at]):
                return owners[at]
        return None


def _tell(thread: int, memory: _Memory) -> _Told | None:
    """Describe a thread, unless its library survives a fork. Raises OSError and ValueError."""
    if _name(thread) in _EXPENDABLE:
        return None
    doing = (_TASKS / str(thread) / "syscall").read_text().split()
    if len(doing) < 3:
        return _Told(f"the thread `{_name(thread)}`, which is at work", is_busy=True)
    stack = int(doing[-2], 16)
    size = min(memory.ends[memory.find(stack)] - stack, _MOST_STACK) // 8 * 8
    with open("/proc/self/mem", "rb", buffering=0) as file:
        data = _read(file, stack, size)
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    # What began the thread is the farthest on its stack; nearer may be leftovers of others.
    owner = memory.owner((*reversed(words), int(doing[-1], 16)))
    if owner is not None and SURVIVORS.match(owner):
        return None
    return _Told(f"the thread `{_name(thread)}`{f' of `{owner}`' if owner else ''}")


def _told_by_name(thread: int) -> _Told | None:
    """Describe a thread that has a name of its own, as most but those of survivors do."""
    try:
        name = _name(thread)
    except OSError:
        return None
    if name in _EXPENDABLE or name == _name(os.getpid()):
        return None
    return _Told(f"the thread `{name}`")


def _name(thread: int) -> str:
    return (_TASKS / str(thread) / "comm").read_text().strip()


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    return data[: len(data) // 8 * 8]
