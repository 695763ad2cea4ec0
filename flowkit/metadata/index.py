"""The index of runs: the room's only door."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from flowkit.errors import MetadataError
from flowkit.metadata import changes, recording, runs, tasks
from flowkit.metadata.changes import Change
from flowkit.metadata.database import MEMORY, DamagedIndex, Database, Rows
from flowkit.metadata.positions import candidates
from flowkit.metadata.rows import (
    AttemptRow,
    AttemptStatus,
    FlowRow,
    RunRow,
    Snapshot,
    StepRow,
    TaskRow,
)
from flowkit.metadata.runs import RunFilter
from flowkit.metadata.tasks import TaskFilter
from flowkit.records import Clone, Clones, RunEnd, RunRecord, RunStatus
from flowkit.values import Attempt, Digest, RunId, TaskKey, TaskResult

_COLUMNS = """SELECT m.name, c.name, c.type, c."notnull", c.pk
    FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"""


class Metadata:
    """Answers questions about runs, from rows that the store's records fill.

    Many threads may share one; many processes may open the same file, and a forked child may go
    on with its parent's. Every method raises MetadataError if the file cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: str) -> Metadata:
        """Open the index at `path`, or make it; `:memory:` is one of the process's own."""
        return cls(Database(path))

    @classmethod
    def open_sound(cls, path: str) -> Metadata:
        """Open the index at `path`, or an empty one in its place if it is damaged."""
        index = None
        try:
            index = cls.open(path)
            index.check()
            return index
        except DamagedIndex:
            if index is not None:
                # Left open, it would take the log of the new file away when it is closed.
                with suppress(DamagedIndex):
                    index.close()
            if path != MEMORY:
                for file in (path, f"{path}-wal", f"{path}-shm"):
                    with suppress(FileNotFoundError):
                        Path(file).unlink()
        return cls.open(path)

    def check(self) -> None:
        """See that the whole file is sound, and can be written. Raises MetadataError if not."""
        with self._database.writing() as connection:
            connection.execute("UPDATE schema_version SET version = version")
        # The quick check leaves out whether SQLite's own indexes agree with their tables.
        self._database.read("PRAGMA integrity_check(1)", (), _see_that_it_is_sound)
        expected = Database(MEMORY).read(_COLUMNS, (), set)
        self._database.read(_COLUMNS, (), lambda rows: _see_that_it_has(expected, rows))
        # These no record gives back: a reindex would leave them as they are.
        self.cut_off()
        runs.check_heartbeats(self._database)

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._database.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write all that the block writes in one transaction; nothing of it if the block raises."""
        with self._database.writing():
            yield

    @contextmanager
    def changing(self, run: RunId) -> Iterator[Change]:
        """Change a run's records in the store in the block, and the index to match.

        If the block raises, the process dies in it, or the change is said not to be done at its
        end, it counts as cut off.
        """
        with self._database.writing() as connection:
            change = changes.begin(connection, run)
        try:
            yield change
        except BaseException:
            change.is_done = False
            raise
        finally:
            # What cannot be written now counts as cut off when the process is gone.
            with suppress(MetadataError), self._database.writing() as connection:
                (changes.end if change.is_done else changes.abandon)(connection, change)

    def cut_off(self) -> list[Change]:
        """Return the changes after which the index may not agree with the store."""
        return self._database.read(changes.ALL, (), changes.cut_off_in)

    def settle(self, change: Change) -> None:
        """Forget a change that was cut off, once the index agrees."""
        with self._database.writing() as connection:
            changes.end(connection, change)

    @property
    def is_empty(self) -> bool:
        """Whether the index knows of no run at all."""
        return self._database.read("SELECT 1 FROM runs LIMIT 1", (), lambda rows: not rows)

    def record_run(self, record: RunRecord) -> None:
        """Note that a run began."""
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, record.run):
                recording.insert_run(connection, record)

    def record_started(self, run: RunId, attempts: Sequence[Attempt], at: datetime) -> None:
        """Note that attempts run. Passing knowledge: their results, or the run's end, end it."""
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, run):
                recording.insert_started(connection, run, attempts, at)

    def record_results(self, run: RunId, results: Sequence[TaskResult]) -> None:
        """Note how attempts ended, all in one transaction."""
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, run):
                recording.insert_results(connection, run, results)

    def record_clones(self, clones: Clones, *, source: RunId | None = None) -> None:
        """Note which tasks of earlier runs stand for the run's own.

        `source`: all are among what `finished` told of that run, which makes many of them cheap.
        """
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, clones.run):
                recording.insert_clones(connection, clones, source)

    def record_end(self, end: RunEnd) -> None:
        """Note that a run ended."""
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, end.run):
                recording.insert_end(connection, end)

    def record_tags(self, run: RunId, tags: Sequence[str]) -> None:
        """Note the user's tags as they are now, in place of those noted before."""
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, run):
                recording.replace_tags(connection, run, tags)

    def heartbeat(self, run: RunId, at: datetime) -> None:
        """Note that this process drives the run and lives."""
        host, pid = socket.gethostname(), os.getpid()
        with self._database.writing() as connection:
            if not recording.is_deleted(connection, run):
                recording.insert_heartbeat(connection, run, at, host=host, pid=pid)

    def forget_run(self, run: RunId) -> None:
        """Remove all that is known of a run. What is noted of it later is ignored."""
        with self._database.writing() as connection:
            recording.delete_run(connection, run)

    def clear(self, run: RunId | None = None) -> None:
        """Remove all that the store's records give back, or that of a run; signs of life stay."""
        with self._database.writing() as connection:
            recording.delete_recorded(connection, run)

    def flows(self, *, tags: Sequence[str] = ()) -> list[FlowRow]:
        """Return the flows that have runs with all these tags, by name."""
        return runs.read_flows(self._database, tags)

    def runs(
        self,
        flow: str | None = None,
        *,
        tags: Sequence[str] = (),
        status: RunStatus | None = None,
        user: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        before: RunId | None = None,
    ) -> list[RunRow]:
        """Return runs, newest first. For the next page, pass the last run as `before`.

        A run must have all `tags`, be they the user's or flowkit's, and have started at `since`
        or later, but before `until`.
        """
        wanted = RunFilter(
            flow=flow,
            tags=tags,
            status=status,
            user=user,
            since=since,
            until=until,
            before=before,
        )
        return runs.read_runs(self._database, wanted, limit=limit)

    def count_runs(
        self,
        flow: str | None = None,
        *,
        tags: Sequence[str] = (),
        status: RunStatus | None = None,
        user: str | None = None,
    ) -> int:
        """Return how many runs `runs` would return without a limit."""
        wanted = RunFilter(flow=flow, tags=tags, status=status, user=user)
        return runs.count_runs(self._database, wanted)

    def run(self, run: RunId) -> RunRow | None:
        """Return one run, or None."""
        found = runs.read_runs(self._database, RunFilter(flow=run.flow, run=run.id), limit=None)
        return found[0] if found else None

    def seen_at(self, run: RunId) -> datetime | None:
        """Return when the run's driver last gave a sign of life; None if it has given none."""
        return runs.read_seen_at(self._database, run)

    def latest_run(
        self, flow: str, *, tags: Sequence[str] = (), status: RunStatus | None = None
    ) -> RunRow | None:
        """Return the flow's newest run that matches, or None."""
        found = self.runs(flow, tags=tags, status=status, limit=1)
        return found[0] if found else None

    def steps(self, run: RunId, step: str | None = None) -> list[StepRow]:
        """Return the run's steps that have tasks: clones first, then in order of first start.

        With `step`, only that one.
        """
        return tasks.read_steps(self._database, run, step)

    def tasks(
        self,
        run: RunId,
        step: str | None = None,
        *,
        under: tuple[int, ...] = (),
        after: TaskKey | None = None,
        status: AttemptStatus | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[TaskRow]:
        """Return the latest attempt of each task, in the order of their keys.

        `under`: how the indexes of the tasks' paths start. `status`: that of the latest attempt.
        For the next page, pass the last task's key as `after`: cheaper than an `offset`, which
        reads what it skips.
        """
        wanted = TaskFilter(run=run, step=step, under=under, after=after, status=status)
        return tasks.read_tasks(self._database, wanted, limit=limit, offset=offset)

    def task(self, run: RunId, key: TaskKey) -> TaskRow | None:
        """Return a task's latest attempt, or None."""
        wanted = TaskFilter(run=run, step=key.step, keys=(key,))
        found = tasks.read_tasks(self._database, wanted, limit=1, offset=0)
        return found[0] if found else None

    def find_task(self, run: RunId, step: str, task_id: str) -> TaskRow | None:
        """Return the latest attempt of the task with this id as text, or None."""
        keys = tuple(candidates(step, task_id))
        if not keys:
            return None
        wanted = TaskFilter(run=run, step=step, keys=keys)
        found = tasks.read_tasks(self._database, wanted, limit=1, offset=0)
        return found[0] if found else None

    def find_tasks(self, run: RunId, step: str, task_ids: Iterable[str]) -> list[TaskRow]:
        """Return the latest attempts of the tasks with these ids, in the order of their keys."""
        keys = sorted(key for one in task_ids for key in candidates(step, one))
        return tasks.read_named_tasks(self._database, run, keys)

    def origins(self, run: RunId, step: str) -> list[RunId]:
        """Return the runs that computed clones among a step's tasks."""
        return tasks.read_origins(self._database, run, step)

    def attempts(self, run: RunId, key: TaskKey) -> list[AttemptRow]:
        """Return all attempts of a task, first one first."""
        return tasks.read_attempts(self._database, run, key)

    def finished(self, run: RunId) -> dict[TaskKey, Clone]:
        """Return each task that succeeded, as the clone that a resume would make of it."""
        return tasks.read_finished(self._database, run)

    def computed(
        self, besides: RunId, step: str, fingerprints: Sequence[Digest]
    ) -> dict[Digest, Clone]:
        """Return the tasks of a step that have these fingerprints, as the clones to make of them.

        In other runs of the flow than `besides`. Only tasks that succeeded by themselves are
        found.
        """
        return tasks.read_computed(self._database, besides, step, fingerprints)

    def earlier_attempts(
        self, run: RunId, key: TaskKey, *, limit: int
    ) -> list[tuple[RunId, Attempt]]:
        """Return attempts at the task's step in earlier runs that succeeded and can be compared.

        Those at the same task come first, then the latest.
        """
        return tasks.read_earlier_attempts(self._database, run, key, limit)

    def previous_manifest(self, flow: str, before_run: RunId, key: TaskKey) -> Digest | None:
        """Return the same task's manifest in the latest earlier run that has one, or None.

        Only the 32 runs before are searched: whoever misses stores a little more.
        """
        return tasks.read_previous_manifest(self._database, flow, before_run, key)

    def snapshot(self) -> Snapshot:
        """Return all rows that can be rebuilt from the store: equal indexes, equal snapshots."""
        return runs.read_snapshot(self._database)


def _see_that_it_has(columns: set[tuple[Any, ...]], rows: Rows) -> None:
    if missing := columns.difference(rows):
        table, column, *_ = min(missing)
        raise ValueError(f"table `{table}` has no such column `{column}` as it should have")


def _see_that_it_is_sound(rows: Rows) -> None:
    if rows != [("ok",)]:
        found = " ".join(str(value) for row in rows for value in row)
        raise ValueError(" ".join(found.split()).removeprefix("*** in database main *** "))
