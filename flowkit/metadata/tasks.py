"""Rows to answers about a run's steps, tasks and attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowkit.metadata.database import Database, Rows
from flowkit.metadata.positions import below, key_at, position
from flowkit.metadata.rows import AttemptRow, AttemptStatus, StepRow
from flowkit.metadata.runs import RunFilter, read_runs, run_named, time_of
from flowkit.records import Clone
from flowkit.values import Attempt, Digest, Failure, Outcome, RunId, TaskKey
from flowkit.wire import decode

LOOKBACK_RUNS = 32
"""How many earlier runs are searched for the same task, so that a miss stays cheap."""

_COLUMNS = """a.step, a.position, a.attempt, a.status, a.started_at, a.finished_at, a.manifest,
    a.width, a.choice, a.failure, a.caught, a.origin, a.host, a.pid, a.cpu_s,
    a.peak_memory_bytes, a.origin_position"""
_HAS_LATER = """EXISTS (SELECT 1 FROM attempts b WHERE b.flow = a.flow AND b.run = a.run
    AND b.step = a.step AND b.position = a.position AND b.attempt > a.attempt)"""

# Attempts that a later one has replaced are few: they are counted from their successors, and
# taken off what is counted without looking for any.
_STEPS = """SELECT n.step, SUM(n.attempts),
    SUM(CASE WHEN n.status = 'succeeded' THEN n.attempts ELSE 0 END),
    SUM(CASE WHEN n.status = 'failed' THEN n.attempts ELSE 0 END),
    SUM(CASE WHEN n.status = 'running' THEN n.attempts ELSE 0 END),
    SUM(n.clones), MIN(n.started_at), MAX(n.finished_at), MIN(s.place)
    FROM (SELECT a.step, a.status, COUNT(*) AS attempts, COUNT(a.origin) AS clones,
            MIN(a.started_at) AS started_at, MAX(a.finished_at) AS finished_at
        FROM attempts a WHERE a.flow = ? AND a.run = ?{0} GROUP BY a.step, a.status
        UNION ALL
        SELECT a.step, a.status, -COUNT(*), 0, NULL, NULL
        FROM attempts l JOIN attempts a ON a.flow = l.flow AND a.run = l.run
            AND a.step = l.step AND a.position = l.position
            AND a.attempt = (SELECT MAX(b.attempt) FROM attempts b WHERE b.flow = l.flow
                AND b.run = l.run AND b.step = l.step AND b.position = l.position
                AND b.attempt < l.attempt)
        WHERE l.flow = ? AND l.run = ?{1} AND l.attempt > 0 GROUP BY a.step, a.status) n
    LEFT JOIN run_steps s ON s.flow = ? AND s.run = ? AND s.step = n.step
    GROUP BY n.step
    ORDER BY COALESCE(MIN(n.started_at), 0), MIN(s.place), n.step"""

_CLONE_COLUMNS = """step, position, attempt, manifest, width, choice, origin, origin_position,
    fingerprint, run"""
_FINISHED = f"""SELECT {_CLONE_COLUMNS} FROM attempts
    WHERE flow = ? AND run = ? AND status = 'succeeded'
    ORDER BY step, position, attempt"""

# Of many, the one that was computed and not cloned, and the latest: it is kept the longest.
_COMPUTED = f"""SELECT {_CLONE_COLUMNS} FROM (SELECT {_CLONE_COLUMNS},
        ROW_NUMBER() OVER (PARTITION BY fingerprint ORDER BY
            CASE WHEN origin IS NULL THEN 0 ELSE 1 END, started_at DESC, run) AS place
    FROM attempts WHERE flow = ? AND step = ? AND run <> ? AND fingerprint IN ({{}})
        AND has_origin = 0) found WHERE place = 1"""
_MOST_ASKED = 500

_EARLIER = """SELECT a.run, a.position, a.attempt FROM attempts a
    JOIN runs r ON r.flow = a.flow AND r.run = a.run
    WHERE a.flow = ? AND a.step = ? AND a.fingerprint IS NOT NULL AND a.has_origin = 0
        AND a.origin IS NULL
        AND r.started_at < (SELECT c.started_at FROM runs c WHERE c.flow = ? AND c.run = ?)
    ORDER BY CASE WHEN a.position = ? THEN 0 ELSE 1 END, r.started_at DESC, a.position
    LIMIT ?"""

_PREVIOUS = """SELECT a.manifest FROM
    (SELECT r.flow, r.run, r.started_at FROM runs r WHERE r.flow = ? AND r.started_at <
        (SELECT c.started_at FROM runs c WHERE c.flow = ? AND c.run = ?)
    ORDER BY r.started_at DESC LIMIT ?) r
    JOIN attempts a ON a.flow = r.flow AND a.run = r.run AND a.step = ? AND a.position = ?
    WHERE a.manifest IS NOT NULL
    ORDER BY r.started_at DESC, a.attempt DESC LIMIT 1"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks of a run are asked for.

    `under`: how the indexes of their paths start. `after`: the key that they come after.
    """

    run: RunId
    step: str | None = None
    keys: tuple[TaskKey, ...] = ()
    under: tuple[int, ...] = ()
    after: TaskKey | None = None
    status: AttemptStatus | None = None


def read_steps(database: Database, run: RunId, step: str | None) -> list[StepRow]:
    """Return the steps that have tasks: cloned ones first, then in order of first start."""
    named = ("", "") if step is None else (" AND a.step = ?", " AND l.step = ?")
    wanted = (run.flow, run.id, *([] if step is None else [step]))
    sql = _STEPS.format(*named)
    rows = database.read(sql, (*wanted, *wanted, run.flow, run.id), list)
    is_lost = any(row[4] for row in rows) and not _is_running(database, run)
    return [
        StepRow(
            step=step,
            total=total,
            succeeded=succeeded,
            failed=failed,
            running=0 if is_lost else running,
            lost=running if is_lost else 0,
            cloned=cloned,
            started_at=None if started_at is None else time_of(started_at),
            finished_at=None if finished_at is None else time_of(finished_at),
        )
        for step, total, succeeded, failed, running, cloned, started_at, finished_at, _ in rows
    ]


def read_tasks(
    database: Database, wanted: TaskFilter, *, limit: int | None, offset: int
) -> list[AttemptRow]:
    """Return the latest attempt of each task that matches, in the order of their keys."""
    if wanted.status in ("running", "lost"):
        alive = _is_running(database, wanted.run)
        if alive != (wanted.status == "running"):
            return []
    conditions, parameters = _conditions(wanted)
    sql = f"""SELECT {_COLUMNS} FROM attempts a
        WHERE {" AND ".join(conditions)} AND NOT {_HAS_LATER}
        ORDER BY a.step, a.position, a.attempt"""
    if limit is not None or offset:
        sql += " LIMIT ? OFFSET ?"
        parameters += [2**62 if limit is None else limit, offset]
    return _read_attempts(database, wanted.run, (sql, parameters))


def read_named_tasks(database: Database, run: RunId, keys: Sequence[TaskKey]) -> list[AttemptRow]:
    """Return the latest attempt of each of these tasks of one step, in the order of the keys."""
    found: list[AttemptRow] = []
    for start in range(0, len(keys), _MOST_ASKED):
        some = tuple(keys[start : start + _MOST_ASKED])
        wanted = TaskFilter(run=run, step=some[0].step, keys=some)
        found += read_tasks(database, wanted, limit=None, offset=0)
    return found


def read_origins(database: Database, run: RunId, step: str) -> list[RunId]:
    """Return the runs that computed clones among a step's tasks."""
    sql = """SELECT DISTINCT origin FROM attempts
        WHERE flow = ? AND run = ? AND step = ? AND origin IS NOT NULL ORDER BY origin"""
    parameters = (run.flow, run.id, step)
    return database.read(sql, parameters, lambda rows: [run_named(origin) for (origin,) in rows])


def read_attempts(database: Database, run: RunId, key: TaskKey) -> list[AttemptRow]:
    """Return all attempts of a task, first one first."""
    sql = f"""SELECT {_COLUMNS} FROM attempts a WHERE a.flow = ? AND a.run = ? AND a.step = ?
        AND a.position = ? ORDER BY a.attempt"""
    return _read_attempts(database, run, (sql, [run.flow, run.id, key.step, position(key)]))


def read_finished(database: Database, run: RunId) -> dict[TaskKey, Clone]:
    """Return what a resume may clone: each task that succeeded, with the run that computed it.

    A node of a gang may have succeeded in several attempts: the last one counts.
    """
    found = database.read(_FINISHED, (run.flow, run.id), lambda rows: _clones(run.flow, rows))
    return {clone.key: clone for clone in found}


def read_computed(
    database: Database, besides: RunId, step: str, fingerprints: Sequence[Digest]
) -> dict[Digest, Clone]:
    """Return, for each fingerprint that other runs' tasks have, the clone to make of one."""
    flow = besides.flow
    found: dict[Digest, Clone] = {}
    for start in range(0, len(fingerprints), _MOST_ASKED):
        asked = [one.hex() for one in fingerprints[start : start + _MOST_ASKED]]
        clones = database.read(
            _COMPUTED.format(", ".join("?" * len(asked))),
            (flow, step, besides.id, *asked),
            lambda rows: _clones(flow, rows),
        )
        found.update({one.fingerprint: one for one in clones if one.fingerprint is not None})
    return found


def read_earlier_attempts(
    database: Database, run: RunId, key: TaskKey, limit: int
) -> list[tuple[RunId, Attempt]]:
    """Return attempts of a step in earlier runs by which a task can be found."""
    place = position(key)
    return database.read(
        _EARLIER,
        (run.flow, key.step, run.flow, run.id, place, limit),
        lambda rows: [
            (RunId(run.flow, where), Attempt(key_at(key.step, at), number))
            for where, at, number in rows
        ],
    )


def read_previous_manifest(
    database: Database, flow: str, before_run: RunId, key: TaskKey
) -> Digest | None:
    """Return the task's manifest in the latest run before `before_run` that has one."""
    parameters = (flow, before_run.flow, before_run.id, LOOKBACK_RUNS, key.step, position(key))
    return database.read(
        _PREVIOUS, parameters, lambda rows: Digest.parse(rows[0][0]) if rows else None
    )


def _is_running(database: Database, run: RunId) -> bool:
    found = read_runs(database, RunFilter(flow=run.flow, run=run.id), limit=1)
    return bool(found) and found[0].status == "running"


def _conditions(wanted: TaskFilter) -> tuple[list[str], list[object]]:
    conditions = ["a.flow = ?", "a.run = ?"]
    parameters: list[object] = [wanted.run.flow, wanted.run.id]
    if wanted.step is not None:
        conditions.append("a.step = ?")
        parameters.append(wanted.step)
    if wanted.keys:
        conditions.append(f"a.position IN ({', '.join('?' * len(wanted.keys))})")
        parameters += [position(key) for key in wanted.keys]
    if wanted.under:
        conditions.append("a.position >= ? AND a.position < ?")
        parameters += below(wanted.under)
    if wanted.after is not None and wanted.after.step == wanted.step:
        # Compared as pairs, a step's rows would be sorted anew for each page, all that are left.
        conditions.append("a.position > ?")
        parameters.append(position(wanted.after))
    elif wanted.after is not None:
        conditions.append("(a.step, a.position) > (?, ?)")
        parameters += [wanted.after.step, position(wanted.after)]
    if wanted.status is not None:
        conditions.append("a.status = ?")
        parameters.append("running" if wanted.status == "lost" else wanted.status)
    return conditions, parameters


def _read_attempts(
    database: Database, run: RunId, query: tuple[str, list[object]]
) -> list[AttemptRow]:
    sql, parameters = query
    rows = database.read(sql, parameters, list)
    # What was running when the driver died is lost; asking is worth a query only then.
    is_lost = any(row[3] == "running" for row in rows) and not _is_running(database, run)
    return database.answered(rows, lambda rows: [_attempt_row(run, row, is_lost) for row in rows])


def _attempt_row(run: RunId, row: tuple[Any, ...], is_lost: bool) -> AttemptRow:
    step, place, number, status, started_at, finished_at = row[:6]
    manifest, width, choice, failure, caught, origin, host, pid, cpu_s, peak, place_there = row[6:]
    outcome = None
    if manifest is not None:
        outcome = Outcome(manifest=Digest.parse(manifest), width=width, choice=choice)
    return AttemptRow(
        run=run,
        attempt=Attempt(key_at(step, place), number),
        status="lost" if is_lost and status == "running" else status,
        started_at=None if started_at is None else time_of(started_at),
        finished_at=None if finished_at is None else time_of(finished_at),
        outcome=outcome,
        failure=decode(Failure, failure.encode(), name="failure") if failure else None,
        caught=decode(Failure, caught.encode(), name="caught") if caught else None,
        origin=run_named(origin) if origin else None,
        host=host,
        pid=pid,
        cpu_s=cpu_s,
        peak_memory_bytes=peak,
        origin_key=key_at(step, place_there) if place_there else None,
    )


def _clones(flow: str, rows: Rows) -> list[Clone]:
    return [
        Clone(
            key=key_at(step, place),
            origin=run_named(origin) if origin else RunId(flow, run),
            attempt=attempt,
            outcome=Outcome(manifest=Digest.parse(manifest), width=width, choice=choice),
            origin_key=key_at(step, place_there) if place_there else None,
            fingerprint=Digest.parse(fingerprint) if fingerprint else None,
        )
        for (
            step,
            place,
            attempt,
            manifest,
            width,
            choice,
            origin,
            place_there,
            fingerprint,
            run,
        ) in rows
    ]
