"""What started a run: `current.trigger`, and `trigger` of a run in the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from flowkit.values import RunId


@dataclass(frozen=True, slots=True)
class TriggeringEvent:
    """An event that started a run. `type` is `run` for the end of one, whose pathspec is `id`."""

    name: str
    id: str
    type: str


class Triggers:
    """The runs that started another one by their end, in the order in which they were named.

    >>> from flowkit.values import RunId
    >>> triggers = Triggers([RunId("Prepare", "12")])
    >>> triggers.event
    TriggeringEvent(name='flowkit.Prepare.end', id='Prepare/12', type='run')
    """

    def __init__(
        self, runs: Sequence[RunId], open_run: Callable[[RunId], Any] | None = None
    ) -> None:
        self._runs, self._open = tuple(runs), open_run or _opened

    @property
    def event(self) -> TriggeringEvent:
        """The first of the events."""
        return self.events[0]

    @property
    def events(self) -> list[TriggeringEvent]:
        """All events."""
        return [TriggeringEvent(f"flowkit.{one.flow}.end", str(one), "run") for one in self._runs]

    @property
    def run(self) -> Any:
        """The first of the runs, as a client object."""
        return self.runs[0]

    @property
    def runs(self) -> list[Any]:
        """All runs, as client objects."""
        return [self._open(one) for one in self._runs]

    def __getitem__(self, name: str) -> Any:
        """Return the run of a flow, by the flow's name. Raises KeyError."""
        for one in self._runs:
            if name == one.flow:
                return self._open(one)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name == one.flow for one in self._runs)

    def __iter__(self) -> Iterator[TriggeringEvent]:
        return iter(self.events)

    def __repr__(self) -> str:
        return f"<triggers: {', '.join(map(str, self._runs))}>"


def _opened(run: RunId) -> Any:
    # By name: the client is a higher room, which flows know nothing of.
    return import_module("flowkit.client").Run(str(run), check_namespace=False)
