"""`current.card`: what a step may do with its cards; nothing of it raises for a card's sake."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flowkit.cards.component import CardComponent
from flowkit.cards.markup import Html


def warn(message: str) -> None:
    """Tell the user something about cards, among what the step prints."""
    print(f"flowkit: {message}", file=sys.stderr)


class StepCard:
    """One card of the running step: components are appended to it.

    `refresh` of a card that may be looked at while the task runs calls `render`; a viewer sees
    one version each `interval_s` seconds at most.
    """

    def __init__(
        self,
        *,
        name: str,
        is_editable: bool,
        interval_s: float,
        render: Callable[[Any], bool] | None = None,
    ) -> None:
        self._name, self._is_editable, self._interval_s = name, is_editable, interval_s
        self._render = render
        self._contents: list[object] = []
        self._named: dict[str, object] = {}
        self._warned: set[str] = set()
        self._rendered_at: float | None = None
        self.data: Any = None

    @property
    def contents(self) -> list[object]:
        """What was appended so far."""
        return list(self._contents)

    @property
    def components(self) -> Components:
        """The components that were given an id, by that."""
        return Components(self._named, self._warn)

    def append(self, component: object, id: str | None = None) -> None:
        """Add a component, or any value, at the end; `components[id]` finds it again."""
        if not self._is_editable:
            self._warn(f"{self._name} takes no components; what is appended is not shown")
            return
        name = id if id is not None else getattr(component, "id", None)
        if isinstance(name, str):
            if name in self._named:
                self._warn(f"{self._name} has two components with the id `{name}`")
            self._named[name] = component
        self._contents.append(component)

    def extend(self, components: Iterable[object]) -> None:
        """Add several components."""
        for one in components:
            self.append(one)

    def clear(self) -> None:
        """Take all components out again."""
        self._contents.clear()
        self._named.clear()

    def refresh(self, data: Any = None, force: bool = False) -> None:
        """Let viewers see the card as it is now; what comes too soon waits for the next call."""
        if data is not None:
            self.data = data
        now = time.monotonic()
        is_due = self._rendered_at is None or now - self._rendered_at >= self._interval_s
        if self._render is None or not (is_due or force):
            return
        try:
            if self._render(self.data):
                self._rendered_at = now
        except OSError as error:
            self._warn(f"{self._name} could not be refreshed: {error}")

    def __iter__(self) -> Iterator[object]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warn(message)


class Components(Mapping[str, Any]):
    """Components by id; an id that there is none of gives one that is not shown."""

    def __init__(self, named: Mapping[str, object], tell: Callable[[str], None]) -> None:
        self._named, self._tell = named, tell

    def __getitem__(self, id: str) -> Any:
        if id not in self._named:
            self._tell(f"the card has no component with the id `{id}`")
            return _Absent()
        return self._named[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def __contains__(self, id: object) -> bool:
        return id in self._named


class _Absent(CardComponent):
    """Stands for a component that is not there."""

    def render(self) -> Html:
        return Html("")

    def update(self, *args: Any, **options: Any) -> None:
        """Change nothing."""


class StepCards:
    """`current.card`: the step's cards by id; everything else is for the one that is edited."""

    def __init__(self, edited: StepCard, named: Mapping[str, StepCard]) -> None:
        self._edited, self._named = edited, dict(named)
        self._unknown: dict[str, StepCard] = {}

    def __getitem__(self, id: str) -> StepCard:
        if id in self._named:
            return self._named[id]
        if id not in self._unknown:
            known = ", ".join(f"`{one}`" for one in self._named)
            warn(
                f"the step has no card with the id `{id}`; what is appended to it is not shown"
                + (f" (there are: {known})" if known else "")
            )
            self._unknown[id] = spare_card()
        return self._unknown[id]

    def __contains__(self, id: object) -> bool:
        return id in self._named

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._edited, name)

    def __iter__(self) -> Iterator[object]:
        return iter(self._edited)

    def __len__(self) -> int:
        return len(self._edited)


def spare_card() -> StepCard:
    """Return a card that takes everything and is never shown."""
    return StepCard(name="the card", is_editable=True, interval_s=0.0)


class NoCards(StepCards):
    """`current.card` of a step without a card: takes everything, and says so once."""

    def __init__(self, step: str) -> None:
        super().__init__(spare_card(), {})
        self._step, self._has_told = step, False

    def __getitem__(self, id: str) -> StepCard:
        self._tell()
        return self._edited

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        self._tell()
        return found

    def _tell(self) -> None:
        if not self._has_told:
            self._has_told = True
            warn(f"step `{self._step}` has no `@card`; what is appended to `current.card` is lost")
