"""Why a task ran: what of its fingerprint is not as it was in an earlier task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Components = Mapping[str, str]

_ORDER = (
    "code",
    "parameter",
    "config",
    "constant",
    "artifact",
    "inputs",
    "element",
    "elements",
    "index",
    "node",
    "task",
    "variable",
    "secrets",
    "catch",
    "package",
    "python",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A component of two fingerprints that differs: `kind`, and the `name` of which one.

    `before` and `after` are its digests, None where there was no such component.
    """

    kind: str
    name: str
    before: str | None
    after: str | None


def closest(components: Components, candidates: Sequence[Components]) -> int:
    """Return which of the candidates has most in common with a task; the first one of equals.

    Raises ValueError if there are none.
    """
    return max(range(len(candidates)), key=lambda at: (_in_common(components, candidates[at]), -at))


def differences(before: Components, after: Components) -> tuple[Difference, ...]:
    """Return what differs, the most telling first."""
    found = []
    for component in sorted(before.keys() | after.keys(), key=_rank):
        old, new = before.get(component), after.get(component)
        if old != new:
            kind, _, name = component.partition(":")
            found.append(Difference(kind, name, old, new))
    return tuple(found)


def _in_common(one: Components, other: Components) -> int:
    return sum(other.get(name) == value for name, value in one.items())


def _rank(component: str) -> tuple[int, str]:
    kind = component.partition(":")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER), component


def changed_pieces(
    before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Say which pieces of a step's code differ, be they new or gone."""
    old, new = dict(before), dict(after)
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return tuple(map(piece_told, names))


def piece_told(piece: str) -> str:
    """Say what a piece of code is.

    >>> piece_told(""), piece_told("self.fit"), piece_told("features.scale")
    ('the step itself', 'method `fit`', '`features.scale`')
    >>> piece_told(".scale"), piece_told("features:RATE")
    ('`scale`', '`features.RATE`')
    """
    if not piece:
        return "the step itself"
    owner, _, name = piece.partition(".")
    if owner == "self":
        return f"method `{name}`"
    return f"`{piece.replace(':', '.').strip('.')}`"
