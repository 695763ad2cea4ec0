"""Looking at cards: those of a task, found by type and id; nothing here unpickles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, overload

from flowkit.cards.live import live_cards
from flowkit.client import Task, Workspace
from flowkit.errors import Corrupt, NotFound
from flowkit.records import StoredCard
from flowkit.values import Attempt, RunId


class CardMissing(NotFound):
    """A task has no such card."""


class Card:
    """A card of a task: an HTML document, as it is now if the task still runs."""

    def __init__(self, task: Task, owner: RunId, stored: StoredCard, *, is_live: bool) -> None:
        self._task, self._owner, self._stored, self.is_live = task, owner, stored, is_live

    @property
    def type(self) -> str:
        """The template that made it; `error` if that failed."""
        return self._stored.type

    @property
    def id(self) -> str | None:
        """The id that the decorator gave it."""
        return self._stored.id

    @property
    def number(self) -> int:
        """Which of the step's `@card` decorators it is of, counted from 0."""
        return self._stored.number

    @cached_property
    def hash(self) -> str:
        """64 hex digits that name its content."""
        from blake3 import blake3

        return str(blake3(self._stored.html.encode()).hexdigest())

    @property
    def path(self) -> str:
        """Where the store keeps it."""
        attempt = self._stored.attempt
        folder = f"runs/{self._owner}/cards/{attempt.key}-{attempt.number}"
        return f"{folder}/{self._stored.number}.zst"

    @property
    def filename(self) -> str:
        """A name for it as a file."""
        words = [self._task.pathspec.replace("/", "-"), self.type, self.id or "", self.hash[:8]]
        safe = ("".join(c if c.isalnum() or c in "-_." else "_" for c in one) for one in words)
        return f"{'-'.join(filter(None, safe))}.html"

    def get(self) -> str:
        """Return the HTML document."""
        return self._stored.html

    def get_data(self) -> Any:
        """Return what the step gave to the last `refresh`, as JSON; None if there is nothing.

        Raises Corrupt if it is no JSON.
        """
        try:
            return None if self._stored.data is None else json.loads(self._stored.data)
        except (ValueError, RecursionError) as error:
            raise Corrupt(self.path, f"its data is no JSON: {error}") from error

    def save(self, folder: str | Path) -> Path:
        """Write the card to a folder; returns the file. Raises OSError."""
        path = Path(folder) / self.filename
        path.write_text(self._stored.html, encoding="utf-8")
        return path

    def view(self) -> Path:
        """Open the card in a browser; returns the file, whether there was one or not.

        The file shows the card in a frame in which no script runs: a page that is opened from a
        disk could otherwise do what the card's author likes.
        """
        import tempfile
        import webbrowser

        path = Path(tempfile.mkdtemp(prefix="flowkit-card-")) / self.filename
        frame = self._framed(
            "allow-popups", "position:fixed;inset:0;width:100%;height:100%;border:0"
        )
        head = f'<meta charset="utf-8"><title>{escape(self._task.pathspec)}</title>'
        page = f"<!DOCTYPE html><html><head>{head}</head><body>{frame}</body></html>"
        path.write_text(page, encoding="utf-8")
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        """Show the card in a notebook, kept apart from the notebook's own page."""
        return self._framed("", "width:100%;height:640px;border:0")

    def _framed(self, permits: str, style: str) -> str:
        document = escape(self._stored.html, quote=True)
        return f'<iframe sandbox="{permits}" style="{style}" srcdoc="{document}"></iframe>'

    def __repr__(self) -> str:
        id = f", id={self.id!r}" if self.id else ""
        return f"Card({self._task.pathspec!r}, type={self.type!r}{id})"


class CardContainer(Sequence[Card]):
    """The cards of a task; a notebook shows them."""

    def __init__(self, cards: Sequence[Card], pathspec: str) -> None:
        self._cards, self._pathspec = list(cards), pathspec

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards)

    @overload
    def __getitem__(self, at: int) -> Card: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Card]: ...
    def __getitem__(self, at: int | slice) -> Card | Sequence[Card]:
        if isinstance(at, slice):
            return CardContainer(self._cards[at], self._pathspec)
        return self._cards[at]

    def _repr_html_(self) -> str:
        if not self._cards:
            return f"<p>no cards of {escape(self._pathspec)}</p>"
        return "".join(one._repr_html_() for one in self._cards)

    def __repr__(self) -> str:
        return f"CardContainer({self._cards!r})"


def get_cards(
    task: Task | str,
    id: str | None = None,
    type: str | None = None,
    follow_resumed: bool = True,
    *,
    workspace: Workspace | None = None,
) -> CardContainer:
    """Return the cards of a task, given as such or by its pathspec; of a type or id if named.

    A task that a resumed run cloned has those of the task that it stands for, unless
    `follow_resumed` is false.

    Raises:
        NotFound: there is no such task.
    """
    if isinstance(task, str):
        task = _named(task, workspace)
    row = task.row
    if row.origin is not None and not follow_resumed:
        return CardContainer([], task.pathspec)
    found = _cards_of(task, row.computed_in, row.computed_by)
    chosen = [
        one for one in found if (id is None or one.id == id) and (type is None or one.type == type)
    ]
    return CardContainer(chosen, task.pathspec)


def _named(pathspec: str, workspace: Workspace | None) -> Task:
    """Return a task by its pathspec; a step of one task stands for that."""
    from flowkit.client import Step

    if pathspec.count("/") == 2:
        return Step(pathspec, workspace=workspace, check_namespace=False).task
    return Task(pathspec, workspace=workspace, check_namespace=False)


def _cards_of(task: Task, owner: RunId, attempt: Attempt) -> list[Card]:
    workspace = task.workspace
    live = {
        one.number: Card(task, owner, one, is_live=True)
        for _, one in live_cards(workspace.settings.home, owner, attempt)
    }
    # After the live ones: what has moved meanwhile is found here.
    kept = {
        one.number: Card(task, owner, one, is_live=False)
        for one in workspace.store.cards(owner, attempt)
    }
    return [card for _, card in sorted({**live, **kept}.items())]
