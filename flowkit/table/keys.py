"""What a commit is known by, so that it is made once, however often its task is tried.

Inside a task the key follows from the task: the first run of a chain of resumes, the step, the
task's id, and the number of the commit. A retry, a duplicate attempt and a resumed run compute
the same key, and find the commit in the branch's history if it was made before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import uuid4

from flowkit.errors import KeyMissing
from flowkit.flow import current
from flowkit.store import Store
from flowkit.table.history import FILES, KEY, ROWS, RUN, TASK
from flowkit.table.written import WrittenFiles, digest_contents
from flowkit.values import RunId, TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitIdentity:
    """Who commits, and the key of it.

    `is_given`: the caller chose the key. `files`, `rows`: digests of the paths added and of what
    they hold; `files` is empty if nothing is added.
    """

    key: str
    is_given: bool
    files: str
    rows: str
    run: str | None = None
    task: str | None = None

    @property
    def properties(self) -> Mapping[str, str]:
        """What the snapshot's summary says of it."""
        notes = {RUN: self.run, TASK: self.task, KEY: self.key, FILES: self.files, ROWS: self.rows}
        return {name: value for name, value in notes.items() if value}


class _Commits:
    """Counts the commits that this process made for its task, for each table and branch."""

    def __init__(self) -> None:
        self._attempt: object = None
        self._counts: dict[str, int] = {}

    def number(self, attempt: object, target: str) -> int:
        """Return how many commits to a target this attempt has made."""
        self._enter(attempt)
        return self._counts.get(target, 0)

    def add(self, attempt: object, target: str) -> None:
        """Count a commit that was made, or was found to be made."""
        self._enter(attempt)
        self._counts[target] = self._counts.get(target, 0) + 1

    def _enter(self, attempt: object) -> None:
        if attempt != self._attempt:
            self._attempt, self._counts = attempt, {}


_commits: Final = _Commits()


def identify(key: str | None, parts: Sequence[WrittenFiles], target: str) -> CommitIdentity:
    """Return the identity of the next commit to a target, a table's branch.

    Without a key, and outside a task, the key is drawn: nothing else could be told apart.
    """
    spec = current.find_spec()
    paths = sorted(path for part in parts for path in part.paths)
    files = sha256("\n".join(paths).encode()).hexdigest() if paths else ""
    rows = digest_contents(parts)
    if spec is None:
        return CommitIdentity(
            key=key or uuid4().hex, is_given=key is not None, files=files, rows=rows
        )
    number = _commits.number(_attempt_of(spec), target)
    return CommitIdentity(
        key=key or f"{_first_run(spec)}/{spec.attempt.key}#{number}",
        is_given=key is not None,
        files=files,
        rows=rows,
        run=str(spec.run),
        task=f"{spec.run}/{spec.attempt.key}",
    )


def count_commit(identity: CommitIdentity, target: str) -> None:
    """Note that a commit was made, so that the task's next one has another key."""
    spec = current.find_spec()
    if spec is not None and not identity.is_given:
        _commits.add(_attempt_of(spec), target)


def _attempt_of(spec: TaskSpec) -> object:
    return spec.run, spec.attempt


def _first_run(spec: TaskSpec) -> RunId:
    """Return the run that began a chain of resumes, as far back as runs are kept."""
    if spec.origin_run is None:
        return spec.run
    store = Store.open(spec.store.url, sync=spec.store.sync, verify=spec.store.verify)
    run = RunId(spec.run.flow, spec.origin_run)
    try:
        while origin := store.run_record(run).origin:
            run = origin
    except KeyMissing:
        # A deleted run cannot say what it resumed; every later resume stops here too.
        return run
    return run
