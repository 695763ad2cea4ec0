"""Random numbers in forked attempts: as in fresh processes, where they differ unless seeded.

A fork copies the state of every generator. So a child draws anew what would start at random in
a fresh interpreter, and keeps what the flow's module seeded when it was imported.
"""

from __future__ import annotations

import random
import sys
from typing import Any

MOST_DRAWS = 100_000


class ImportedRandomness:
    """What importing a flow did to the global generators.

    Make it before the import, call `settle` after it, and `renew` in each forked child.
    """

    def __init__(self) -> None:
        self._before = random.getstate()
        self._seeded_state: tuple[Any, ...] | None = None
        self._numpy_state: Any = None
        self._torch_is_seeded = False

    def settle(self) -> None:
        """Note whether the import seeded a generator."""
        now = random.getstate()
        if now != self._before and not _follows(self._before, now):
            self._seeded_state = now
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None:
            generator = numpy_random.get_bit_generator()
            # Explicit seeding leaves a generator without the entropy it was born with.
            if getattr(generator, "seed_seq", generator) is None:
                self._numpy_state = numpy_random.get_state(legacy=False)
        torch = sys.modules.get("torch")
        if torch is not None:
            # By itself it draws one of 53 bits, where people give 32 at most.
            self._torch_is_seeded = torch.initial_seed() < 1 << 32

    def renew(self) -> None:
        """Set this process's generators as a fresh interpreter would have them."""
        if self._seeded_state is not None:
            random.setstate(self._seeded_state)  # Python draws a new seed in every child
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None and self._numpy_state is not None:
            numpy_random.set_state(self._numpy_state)
        elif numpy_random is not None:
            numpy_random.seed()
        torch = sys.modules.get("torch")
        if torch is not None and not self._torch_is_seeded:
            torch.seed()


def _follows(before: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    """Whether drawing numbers leads from one state to the other: then nobody has seeded."""
    twin = random.Random()
    twin.setstate(before)
    words = now[1][:-1]
    for _ in range(MOST_DRAWS // 624 + 1):
        if twin.getstate()[1][:-1] == words:
            return True
        for _ in range(624):
            twin.getrandbits(32)
    return bool(twin.getstate()[1][:-1] == words)
