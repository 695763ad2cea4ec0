"""What becomes of the cards of a process that died."""

from __future__ import annotations

from pathlib import Path

from flowkit.store import Store
from flowkit.values import Attempt, RunId


def keep_cards(store: Store, home: Path, run: RunId, attempt: Attempt) -> None:
    """Move what an attempt has left of its cards into the store. Raises StoreError."""
    from flowkit.cards import keep_live_cards  # few runs have cards

    keep_live_cards(store, home, run, attempt)
