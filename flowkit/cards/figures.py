"""Components of numbers: progress, single values, and what happened when."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flowkit.cards.component import CardComponent, rendered
from flowkit.cards.markup import Html, join, tag
from flowkit.cards.values import cell_html, short_text

_THEMES = ("default", "success", "warning", "error", "primary", "info", "tool_call", "ai_response")


class ProgressBar(CardComponent):
    """How far something is: `value` of `max`."""

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        max: int | float = 100,
        label: str | None = None,
        value: int | float = 0,
        unit: str | None = None,
        metadata: str | None = None,
    ) -> None:
        self._max, self._label, self._value = max, label, value
        self._unit, self._metadata = unit, metadata

    def update(self, new_value: int | float, metadata: str | None = None) -> None:
        """Set how far it is, and what stands beside it."""
        self._value = new_value
        if metadata is not None:
            self._metadata = metadata

    def render(self) -> Html:
        """Return the bar as HTML."""
        of = f"{short_text(self._value)} of {short_text(self._max)}"
        said = f"{of} {self._unit}" if self._unit else of
        bar = tag("progress", said, max=_number(self._max) or 1, value=_number(self._value))
        label = tag("span", self._label or "", class_="label")
        metadata = tag("span", self._metadata or "", class_="note")
        return tag("label", tag("span", label, said, class_="spread"), bar, metadata, class_="bar")


def _number(value: float) -> float:
    return value if math.isfinite(value) and value >= 0 else 0


class ValueBox(CardComponent):
    """A single value that matters, with a title; boxes in a row stand beside one another."""

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        title: str | None = None,
        value: str | int | float = "",
        subtitle: str | None = None,
        theme: str | None = None,
        change_indicator: str | None = None,
    ) -> None:
        self._title, self._value, self._subtitle = title, value, subtitle
        self._theme, self._change = theme, change_indicator

    def update(
        self,
        title: str | None = None,
        value: str | int | float | None = None,
        subtitle: str | None = None,
        theme: str | None = None,
        change_indicator: str | None = None,
    ) -> None:
        """Change what is given; the rest stays."""
        self._title = self._title if title is None else title
        self._value = self._value if value is None else value
        self._subtitle = self._subtitle if subtitle is None else subtitle
        self._theme = self._theme if theme is None else theme
        self._change = self._change if change_indicator is None else change_indicator

    def render(self) -> Html:
        """Return the box as HTML."""
        value = self._value if isinstance(self._value, str) else short_text(self._value)
        parts = [
            tag("span", self._title, class_="label") if self._title else Html(""),
            tag("span", value, class_="figure"),
            tag("span", self._change, class_="change") if self._change else Html(""),
            tag("span", self._subtitle, class_="note") if self._subtitle else Html(""),
        ]
        return tag("div", *parts, class_=f"value {_theme(self._theme)}")


def _theme(theme: str | None) -> str:
    return theme if theme in _THEMES else "default"


class EventsTimeline(CardComponent):
    """What happened when, newest first; of more than `max_events` the latest are kept."""

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        title: str | None = None,
        events: Sequence[Mapping[str, Any]] | None = None,
        max_events: int = 100,
    ) -> None:
        self._title = title
        self._events: deque[_Event] = deque(maxlen=max(1, max_events))
        self._count, self._is_final = 0, False
        for event in events or ():
            self.update(event)

    def update(
        self,
        event_data: Mapping[str, Any],
        style_theme: str | None = None,
        priority: str | None = None,
        payloads: Mapping[str, object] | None = None,
        finalize: bool = False,
    ) -> None:
        """Add an event: facts by name, and components (`payloads`) to show with it."""
        self._count += 1
        self._is_final = self._is_final or finalize
        at = datetime.now(UTC)
        self._events.append(_Event(at, event_data, style_theme, priority, payloads or {}))

    def render(self) -> Html:
        """Return the events as HTML."""
        title = tag("h3", self._title) if self._title else Html("")
        counted = f"{self._count:,} event{'s' * (self._count != 1)}"
        if self._count > len(self._events):
            counted += f", the last {len(self._events):,} are shown"
        counted += ", finished" if self._is_final else ""
        items = [one.render() for one in reversed(self._events)]
        return join(title, tag("p", counted, class_="note"), tag("ol", *items, class_="events"))


class _Event:
    def __init__(
        self,
        at: datetime,
        facts: Mapping[str, Any],
        theme: str | None,
        priority: str | None,
        payloads: Mapping[str, object],
    ) -> None:
        self._at, self._facts, self._payloads = at, dict(facts), dict(payloads)
        self._theme, self._priority = _theme(theme), priority

    def render(self) -> Html:
        facts = [
            join(tag("dt", str(name)), tag("dd", cell_html(value)))
            for name, value in self._facts.items()
        ]
        payloads = [
            join(tag("span", str(name), class_="label"), rendered(one))
            for name, one in self._payloads.items()
        ]
        time = tag("time", f"{self._at:%H:%M:%S} UTC", datetime=self._at.isoformat())
        urgent = self._priority in ("high", "critical")
        mark = tag("strong", f" {self._priority}") if urgent else Html("")
        return tag(
            "li", time, mark, tag("dl", *facts, class_="facts"), *payloads, class_=self._theme
        )
