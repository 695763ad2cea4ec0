"""Cards of tasks that run: files in `home`, replaced whole, until the store has the last one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flowkit import wire
from flowkit.client import live_log
from flowkit.errors import Corrupt
from flowkit.records import StoredCard
from flowkit.store import Store
from flowkit.values import Attempt, RunId


def live_path(home: Path, run: RunId, attempt: Attempt, number: int) -> Path:
    """Return where the live version of a card is."""
    return live_log(home, run, attempt).with_suffix(f".card-{number}")


def write_live(path: Path, card: StoredCard) -> None:
    """Put a version of a card where viewers find it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(wire.encode(card))
    part.replace(path)


def live_cards(home: Path, run: RunId, attempt: Attempt) -> Iterator[tuple[Path, StoredCard]]:
    """Yield the live cards of an attempt, with their files."""
    log = live_log(home, run, attempt)
    for path in sorted(log.parent.glob(f"{log.stem}.card-*")):
        with suppress(OSError, Corrupt):  # it may have moved into the store meanwhile
            yield path, wire.decode(StoredCard, path.read_bytes(), name=str(path))


def keep_live_cards(store: Store, home: Path, run: RunId, attempt: Attempt) -> None:
    """Move what a process that died has left of its cards into the store. Raises StoreError."""
    for path, card in live_cards(home, run, attempt):
        store.create_card(run, card)
        path.unlink(missing_ok=True)
