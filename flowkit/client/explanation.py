"""Why tasks ran, or which earlier ones stand for them: from records, without running any code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from flowkit.client.workspace import Workspace
from flowkit.errors import StoreError
from flowkit.graph import Node
from flowkit.metadata import TaskRow
from flowkit.plan import Components, Difference, changed_pieces, closest, differences
from flowkit.records import RunRecord
from flowkit.values import ArtifactEntry, Attempt, Digest, Fingerprint, Manifest, RunId

Verdict = Literal["reused", "changed", "first", "repeated", "missed", "forbidden", "untold"]

_MOST_CANDIDATES = 64
_LARGEST_SHOWN_BYTES = 200
_PLAIN_TAG = "json"
_VALUES = ("parameter", "constant", "artifact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a task depends on and that is not as it was.

    `before` and `after` are values as Python writes them where they are plain and small, else
    digests; None where there is nothing to show.
    """

    kind: str
    name: str
    before: str | None = None
    after: str | None = None
    pieces: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = _told(self.kind, self.name)
        if self.before is not None and self.after is not None:
            return f"{text} changed: {self.before} → {self.after}"
        if self.after is not None:
            return f"{text} is new: {self.after}"
        if self.before is not None:
            return f"{text} is gone; it was {self.before}"
        pieces = f" ({', '.join(self.pieces)})" if self.pieces else ""
        return f"{text} changed{pieces}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a task ran, or was reused.

    `verdict`: `reused`; `changed` since the closest earlier task; `first` of its kind; `repeated`,
    as reuse was not asked for; `missed`, as it could not be reused; `forbidden` to be reused;
    `untold`, as nothing is recorded.
    `other` is the task that it stands for or was compared with.
    """

    task: TaskRow
    verdict: Verdict
    other: tuple[RunId, Attempt] | None = None
    changes: tuple[Change, ...] = ()

    @property
    def other_pathspec(self) -> str | None:
        """The other task's pathspec."""
        return f"{self.other[0]}/{self.other[1].key}" if self.other else None

    @property
    def reason(self) -> str:
        """One sentence, without the task's own name."""
        where = str(self.other[0]) if self.other else ""
        match self.verdict:
            case "reused":
                return f"reused from {where}: nothing it depends on changed"
            case "changed":
                changes = "; ".join(map(str, self.changes))
                return f"ran: {changes} (compared with {where})"
            case "first":
                return "ran: never computed before"
            case "repeated":
                return f"ran: {where} had computed the same, but reuse was not asked for"
            case "missed":
                return f"ran: {where} had computed the same, but not yet, or its objects were gone"
            case "forbidden":
                return "ran: `@memo(False)` has it run every time"
            case "untold":
                return "ran: what it depends on is not recorded"


def explain(workspace: Workspace, tasks: Iterable[TaskRow]) -> Iterator[Explanation]:
    """Yield why each task ran or was reused. No artifact is loaded but plain, small values.

    Raises StoreError if records cannot be read.
    """
    explainer = _Explainer(workspace)
    return map(explainer.explain, tasks)


class _Explainer:
    """What has been read for explanations so far."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs: dict[RunId, RunRecord] = {}
        self._prints: dict[tuple[RunId, Attempt], Fingerprint | None] = {}

    def explain(self, row: TaskRow) -> Explanation:
        if row.origin is not None:
            return Explanation(task=row, verdict="reused", other=(row.origin, row.computed_by))
        own = self._fingerprint(row.run, row.attempt)
        if own is None:
            return Explanation(task=row, verdict="untold")
        memo = self._node(row.run, row.key.step).policies.memo
        if memo is False:
            return Explanation(task=row, verdict="forbidden")
        earlier = self._workspace.metadata.earlier_attempts(
            row.run, row.key, limit=_MOST_CANDIDATES
        )
        known = [(one, found) for one in earlier if (found := self._fingerprint(*one)) is not None]
        if not known:
            return Explanation(task=row, verdict="first")
        at = closest(own.components, [found.components for _, found in known])
        (run, attempt), other = known[at]
        changes = self._changes(
            _Side(self._workspace, self._record(run), run, attempt, other.components),
            _Side(self._workspace, self._record(row.run), row.run, row.attempt, own.components),
        )
        verdict: Verdict = "changed" if changes else "missed" if memo else "repeated"
        return Explanation(task=row, verdict=verdict, other=(run, attempt), changes=changes)

    def _changes(self, before: _Side, after: _Side) -> tuple[Change, ...]:
        found = differences(before.components, after.components)
        is_moved = any(one.kind in ("index", "node") for one in found)
        return tuple(
            _change(one, before, after)
            for one in found
            # Where the index is told, the task's id says nothing new.
            if not (one.kind == "task" and is_moved)
        )

    def _record(self, run: RunId) -> RunRecord:
        if run not in self._runs:
            self._runs[run] = self._workspace.store.run_record(run)
        return self._runs[run]

    def _node(self, run: RunId, step: str) -> Node:
        return _node(self._record(run), step)

    def _fingerprint(self, run: RunId, attempt: Attempt) -> Fingerprint | None:
        where = run, attempt
        if where not in self._prints:
            result = self._workspace.store.result(run, attempt)
            self._prints[where] = result.fingerprint if result is not None else None
        return self._prints[where]


class _Side:
    """One of two tasks that are compared."""

    def __init__(
        self,
        workspace: Workspace,
        record: RunRecord,
        run: RunId,
        attempt: Attempt,
        components: Components,
    ) -> None:
        self.record, self.components = record, components
        self.node = _node(record, attempt.key.step)
        self._store, self._run, self._attempt = workspace.store, run, attempt

    def value(self, one: Difference, digest: str | None) -> str | None:
        """Return a value as Python writes it, or its digest; None if there is none."""
        if digest is None:
            return None
        manifest = self._left if one.kind == "artifact" else self._constants
        entry = manifest.artifacts.get(one.name)
        if entry is not None and entry.digest.hex().startswith(digest):
            return self._shown(entry)
        return f"<{digest[:12]}>"

    def _shown(self, entry: ArtifactEntry) -> str:
        if entry.tag == _PLAIN_TAG and entry.size_bytes <= _LARGEST_SHOWN_BYTES:
            try:
                return repr(self._store.load(entry))
            except StoreError:
                pass  # its digest tells enough
        return f"<{entry.type_name} {entry.digest}>"

    @cached_property
    def _constants(self) -> Manifest:
        return self._read(self.record.parameters)

    @cached_property
    def _left(self) -> Manifest:
        """What the task left: what it inherited is in there, unless it was set anew."""
        result = self._store.result(self._run, self._attempt)
        outcome = result.outcome if result is not None else None
        return self._read(outcome.manifest) if outcome is not None else Manifest()

    def _read(self, digest: Digest) -> Manifest:
        try:
            return self._store.manifest(digest)
        except StoreError:
            return Manifest()


def _change(one: Difference, before: _Side, after: _Side) -> Change:
    if one.kind == "code":
        pieces = changed_pieces(before.node.reach.pieces, after.node.reach.pieces)
        return Change(kind=one.kind, name="", pieces=pieces)
    return Change(
        kind=one.kind,
        name=one.name,
        before=_shown(one, before, one.before),
        after=_shown(one, after, one.after),
    )


def _shown(one: Difference, side: _Side, digest: str | None) -> str | None:
    """Return what a component was in one of two tasks, if it can be shown."""
    if one.kind in _VALUES:
        return side.value(one, digest)
    if one.kind == "config" and digest is not None:
        configs = {it.attribute: it.value for it in side.record.description.configs}
        text = configs.get(one.name)
        is_small = text is not None and len(text) <= _LARGEST_SHOWN_BYTES
        return text if is_small else f"<{digest[:12]}>"
    if one.kind == "python":
        return side.record.description.python
    if one.kind == "package":
        return dict(side.record.description.versions).get(one.name)
    return None


def _node(record: RunRecord, step: str) -> Node:
    return next(node for node in record.description.nodes if node.name == step)


def _told(kind: str, name: str) -> str:
    """Say what a component is."""
    match kind:
        case "parameter" | "config" | "constant" | "artifact" | "package":
            return f"{kind} `{name}`"
        case "variable":
            return f"environment variable `{name}`"
        case "inputs":
            return "what the steps before left"
        case "element":
            return "its element of the foreach"
        case "elements":
            return "the elements of the foreach"
        case "index" | "task":
            return "its place in the foreach"
        case "secrets":
            return "where its `@secrets` are kept"
        case "node":
            return "its place in its gang"
        case "catch":
            return "`@catch`"
        case "python":
            return "Python"
    return kind
