"""Faults at operations on files: counted over all processes of a command, then injected at one.

`shim/faults.c`, which is preloaded into the processes, says what an operation is.
"""

from __future__ import annotations

import errno
import os
import random
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path
from typing import Final, Literal

Role = Literal["command", "zygote", "worker"]
How = Literal["before", "after", "torn"]

ROLES: Final[tuple[Role, ...]] = ("command", "zygote", "worker")
HOW: Final[dict[How, int]] = {"before": 1, "after": 2, "torn": 3}
_NOTHING, _FAIL = 0, 4

IS_LONG: Final = os.environ.get("FLOWKIT_CRASH") == "long"
"""Whether to try many points, which a seed of the day draws, and not a few that are fixed."""


class Kind(IntFlag):
    """What an operation does to a file system, as the shim knows it."""

    LOOK = 1
    MAKE = 2
    FILL = 4
    SYNC = 8
    DROP = 16
    STAMP = 32
    LOCK = 64


CHANGES: Final = Kind.MAKE | Kind.FILL | Kind.SYNC | Kind.DROP | Kind.STAMP | Kind.LOCK

FAILING: Final = {
    errno.ENOSPC: Kind.MAKE | Kind.FILL | Kind.SYNC,
    errno.EDQUOT: Kind.MAKE | Kind.FILL | Kind.SYNC,
    errno.EROFS: Kind.MAKE | Kind.DROP | Kind.STAMP,
    errno.EACCES: Kind.LOOK | Kind.MAKE | Kind.DROP | Kind.STAMP,
    errno.EIO: Kind.LOOK | Kind.MAKE | Kind.FILL | Kind.SYNC | Kind.DROP | Kind.STAMP,
    errno.EMFILE: Kind.LOOK | Kind.MAKE,
}
"""Which kinds of operations an error comes from."""


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th operation of all processes in a role; `place` is below the watched folder.

    With `part` it is the first `operation` of theirs at a place that has this in it.
    """

    role: Role
    number: int
    operation: str
    kind: Kind
    place: str
    part: str = ""

    @property
    def sort(self) -> tuple[str, str]:
        """What the operation is and what it is done to, roughly: others are much the same."""
        top, *below = self.place.strip("/").split("/")
        return self.operation, "/".join([top, *below[:1]])


def compile_shim(folder: Path) -> Path:
    """Compile the shim to a library."""
    source = Path(__file__).parent / "shim" / "faults.c"
    library = folder / "faults.so"
    strict = ["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-fvisibility=hidden"]
    subprocess.run(["cc", *strict, "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Faults:
    """What befalls the processes that are given `environ`: nothing, until something is chosen."""

    _ASKED = struct.Struct("<6q16s112s")
    _CAME = struct.Struct("<4q")

    def __init__(self, library: Path, root: Path, folder: Path) -> None:
        self._library, self._root = library, os.path.realpath(root)
        self._state, self._log = folder / "faults.state", folder / "faults.log"
        self._log.touch()
        self._state.write_bytes(bytes(self._ASKED.size + self._CAME.size))

    @property
    def environ(self) -> dict[str, str]:
        """Have this in the environment of a command."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAULTS_ROOT": self._root,
            "FAULTS_STATE": str(self._state),
            "FAULTS_LOG": str(self._log),
        }

    def kill(self, point: Point, how: How) -> None:
        """Kill the process that comes to the point: before or after it, or half way through."""
        self._ask(point, HOW[how])

    def fail(self, point: Point, error: int, *, goes_on: bool) -> None:
        """Have the operation fail, or the next one that can; with `goes_on`, all that follow too.

        Those that follow fail in every role.
        """
        self._ask(point, _FAIL, error, FAILING[error], goes_on)

    @property
    def done(self) -> int:
        """How many faults there were."""
        done, *_ = self._CAME.unpack(self._state.read_bytes()[self._ASKED.size :])
        return int(done)

    @property
    def points(self) -> list[Point]:
        """All operations so far, each role's in their order."""
        counts: defaultdict[str, int] = defaultdict(int)
        found = []
        for line in self._log.read_text().splitlines():
            role, _, operation, kind, place = line.split(" ", 4)
            counts[role] += 1
            (known,) = (one for one in ROLES if one == role)
            found.append(Point(known, counts[role], operation, Kind(int(kind)), place))
        return found

    def _ask(
        self, point: Point, how: int, error: int = 0, kinds: int = 0, goes_on: bool = False
    ) -> None:
        role = ROLES.index(point.role)
        named = (point.operation.encode() if point.part else b"", point.part.encode())
        asked = self._ASKED.pack(role, point.number, how, error, kinds, goes_on, *named)
        self._state.write_bytes(asked + bytes(self._CAME.size))


def draw_points(
    points: Sequence[Point], role: Role, kinds: Kind, *, count: int, draw: random.Random
) -> list[Point]:
    """Draw points of a role: of each sort about as many, however many of it there are."""
    sorts: defaultdict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in points:
        if point.role == role and point.kind & kinds:
            sorts[point.sort].append(point)
    piles = [draw.sample(pile, len(pile)) for _, pile in sorted(sorts.items())]
    draw.shuffle(piles)
    drawn: list[Point] = []
    while piles and len(drawn) < count:
        drawn += [pile.pop() for pile in piles]
        piles = [pile for pile in piles if pile]
    assert drawn, f"a {role} does nothing of the kind"
    return drawn[:count]


def find_point(points: Sequence[Point], operation: str, part: str) -> Point:
    """Return the first operation of its name at a place that has this in it.

    It is found again by these: how many come before it depends on time.
    """
    found = next(one for one in points if one.operation == operation and part in one.place)
    return replace(found, part=part)


def a_draw(name: str) -> random.Random:
    """Return what draws points: always the same in the short form, another each time in the long.

    `FLOWKIT_CRASH_SEED` repeats a long one; the seed is printed.
    """
    seed = os.environ.get("FLOWKIT_CRASH_SEED")
    if seed is None:
        seed = os.urandom(4).hex() if IS_LONG else "short"
    print(f"FLOWKIT_CRASH_SEED={seed}", file=sys.stderr)
    return random.Random(f"{seed} {name}")
