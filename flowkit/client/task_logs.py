"""Logs: which attempt's is a task's, and where it is.

It is in the store once the attempt has ended, in a live file until then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from pathlib import Path

from flowkit.client.workspace import Workspace
from flowkit.errors import StoreError
from flowkit.logs import LogLine, parse_log
from flowkit.metadata import AttemptRow, StepRow, TaskRow
from flowkit.values import Attempt, RunId


class KnownLogs:
    """Which attempts have a log, told by a listing a step: most tasks of a wide run are silent.

    What begins to print later is not known to it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._names: dict[tuple[RunId, str], Set[str]] = {}

    def has(self, run: RunId, attempt: Attempt) -> bool:
        """Whether an attempt printed anything."""
        key = attempt.key
        return f"{key.task_id}-{attempt.number}" in self._of(run, key.step)

    def tasks(self, run: RunId, step: StepRow) -> list[TaskRow]:
        """Return the tasks of a step that may have printed, in order; of a clone, its origin."""
        index = self._workspace.metadata
        if not step.cloned:
            ids = {name.rpartition("-")[0] for name in self._of(run, step.step)}
            return index.find_tasks(run, step.step, ids)
        if any(self._of(one, step.step) for one in (run, *index.origins(run, step.step))):
            return index.tasks(run, step.step)
        return []

    def _of(self, run: RunId, step: str) -> Set[str]:
        """Return `<task id>-<number>` for each attempt at a step that has a log."""
        known = self._names.get((run, step))
        if known is None:
            growing = self._growing(run, step)
            # Asked second: a log moves into the store, and never back.
            known = {*growing, *self._workspace.store.logged(run, step)}
            self._names[run, step] = known
        return known

    def _growing(self, run: RunId, step: str) -> list[str]:
        home = self._workspace.settings.home
        try:
            names = os.listdir(live_folder(home, run) / step)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(f"the logs of `{run}/{step}`", home, error) from error
        return [name.removesuffix(".log") for name in names]


def live_log(home: Path, run: RunId, attempt: Attempt) -> Path:
    """Return where an attempt's log is while it runs."""
    name = f"{attempt.key.task_id}-{attempt.number}.log"
    return live_folder(home, run) / attempt.key.step / name


def live_folder(home: Path, run: RunId) -> Path:
    """Return where the live files of a run's attempts are, and lie on if its driver is killed."""
    return home / "live" / run.flow / run.id


def read_log(workspace: Workspace, run: RunId, attempt: Attempt) -> Iterator[LogLine]:
    """Return the lines printed so far, none if there is no log."""
    data = workspace.store.log(run, attempt)
    if data is None:
        try:
            data = live_log(workspace.settings.home, run, attempt).read_bytes()
        except FileNotFoundError:
            # It may have moved into the store since that was asked.
            data = workspace.store.log(run, attempt) or b""
        except OSError as error:
            home = workspace.settings.home
            raise _unreadable(f"the log of `{run}/{attempt.key}`", home, error) from error
    return parse_log(data, name=f"log of {run}/{attempt.key}")


def printing_attempt(workspace: Workspace, latest: AttemptRow) -> tuple[RunId, Attempt]:
    """Return whose log is that of a task: its latest attempt's, with two exceptions.

    A clone printed nothing: the run that computed it did. And where `@catch` stood in for a process
    that had died, the latest attempt ran nothing of the user's: the one that died has the log.
    """
    run, attempt = latest.computed_in, latest.computed_by
    if not attempt.number or (latest.caught is None and latest.origin is None):
        return run, attempt
    rows = {row.attempt: row for row in workspace.metadata.attempts(run, attempt.key)}
    before = Attempt(attempt.key, attempt.number - 1)
    if attempt in rows and before in rows and _stood_in(rows[attempt], rows[before]):
        return run, before
    return run, attempt


def _stood_in(row: AttemptRow, before: AttemptRow) -> bool:
    """Say whether `@catch` took over what had become of the attempt before.

    A step may well raise the same twice, and `@catch` swallow it the second time; but what is
    raised has a traceback, and a process that died left none.
    """
    return row.caught is not None and row.caught == before.failure and not row.caught.traceback


def _unreadable(what: str, home: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{what} cannot be read: {error.strerror}", hint=f"make the files below `{home}` readable"
    )
