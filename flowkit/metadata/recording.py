"""Records to rows: every write is idempotent, and the order of writes does not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flowkit.metadata.positions import position
from flowkit.records import Clones, RunEnd, RunRecord
from flowkit.values import Attempt, Failure, RunId, TaskResult
from flowkit.wire import encode

if TYPE_CHECKING:
    from sqlite3 import Connection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_RECORDED = ("runs", "run_steps", "run_ends", "run_tags", "changed_tags", "clone_origins")
TABLES = (*_RECORDED, "heartbeats", "attempts")
"""All that have rows of runs that are there."""

_COLUMNS = (
    "flow, run, step, position, attempt, task_id, status, started_at, finished_at, "
    "manifest, width, choice, failure, caught, origin, host, pid, cpu_s, peak_memory_bytes, "
    "fingerprint, origin_position, has_origin"
)
_ON_CONFLICT = "ON CONFLICT (flow, run, step, position, attempt) DO"
_INSERT_ATTEMPT = f"""INSERT INTO attempts ({_COLUMNS})
    VALUES ({", ".join("?" * len(_COLUMNS.split(", ")))})
    {_ON_CONFLICT} """
_KEY_COLUMNS = 6
_ATTEMPT_IF_NEW = _INSERT_ATTEMPT + "NOTHING"
_UPDATE = "UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[_KEY_COLUMNS:]
)
_ATTEMPT = _INSERT_ATTEMPT + _UPDATE

_COUNT_SUCCEEDED = """SELECT step, COUNT(*) FROM attempts
    WHERE flow = ? AND run = ? AND status = 'succeeded' GROUP BY step"""
_COPY_SUCCEEDED = f"""INSERT INTO attempts ({_COLUMNS})
    SELECT ?, ?, step, position, attempt, task_id, 'succeeded', NULL, NULL,
        manifest, width, choice, NULL, NULL, COALESCE(origin, flow || '/' || run), '', 0, 0.0, 0,
        fingerprint, origin_position, CASE WHEN origin IS NULL THEN 1 ELSE has_origin END
    FROM attempts WHERE flow = ? AND run = ? AND step = ? AND status = 'succeeded'
    ORDER BY position {_ON_CONFLICT} {_UPDATE}"""
_HAND_ON = "UPDATE attempts SET has_origin = 0 WHERE flow = ? AND run = ? AND origin = ?"


def microseconds(time: datetime) -> int:
    """Return a UTC-aware time as microseconds since 1970, exactly."""
    return (time - EPOCH) // _MICROSECOND


def insert_run(connection: Connection, record: RunRecord) -> None:
    """Insert a run, its steps and, unless they have changed since, its tags."""
    flow, run = record.run.flow, record.run.id
    connection.execute(
        """INSERT INTO runs (flow, run, started_at, user_name, origin, parameters, start_step,
            end_step, host, pid, flowkit_version, python_version)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (flow, run) DO NOTHING""",
        (
            flow,
            run,
            microseconds(record.started_at),
            record.user,
            str(record.origin) if record.origin else None,
            record.parameters.hex(),
            record.description.start,
            record.description.end,
            record.host,
            record.pid,
            record.flowkit_version,
            record.python_version,
        ),
    )
    connection.executemany(
        "INSERT INTO run_steps (flow, run, step, place) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (flow, run, step) DO NOTHING",
        [(flow, run, node.name, place) for place, node in enumerate(record.description.nodes)],
    )
    _insert_tags(connection, record.run, record.system_tags, is_system=True)
    changed = connection.execute(
        "SELECT 1 FROM changed_tags WHERE flow = ? AND run = ?", (flow, run)
    )
    if changed.fetchone() is None:
        _insert_tags(connection, record.run, record.tags, is_system=False)


def insert_started(
    connection: Connection, run: RunId, attempts: Sequence[Attempt], at: datetime
) -> None:
    """Insert rows of running attempts, where nothing is known of the attempt yet."""
    ended = connection.execute(
        "SELECT 1 FROM run_ends WHERE flow = ? AND run = ?", (run.flow, run.id)
    )
    if ended.fetchone() is not None:
        return
    started_at = microseconds(at)
    rest = (None, None, None, None, None, None, None, "", 0, 0.0, 0, None, None, 0)
    connection.executemany(
        _ATTEMPT_IF_NEW,
        [(*_key_columns(run, attempt), "running", started_at, *rest) for attempt in attempts],
    )


def insert_results(connection: Connection, run: RunId, results: Iterable[TaskResult]) -> None:
    """Insert results, over the rows of the same attempts when they ran."""
    connection.executemany(_ATTEMPT, [_result_row(run, result) for result in results])


def insert_clones(connection: Connection, clones: Clones, source: RunId | None = None) -> None:
    """Insert a row for each task that an earlier run's stands for.

    With `source`, all are of tasks with the same keys in that run, as `read_finished` tells. A
    clone is found by its fingerprint only once the run that computed it is deleted.
    """
    copied = _copy_steps(connection, clones, source) if source is not None else ()
    run = clones.run
    origins = {clone.origin for clone in clones.clones}
    deleted = {origin for origin in origins if is_deleted(connection, origin)}
    connection.executemany(
        "INSERT INTO clone_origins (origin, flow, run) VALUES (?, ?, ?) "
        "ON CONFLICT (origin, flow, run) DO NOTHING",
        [(str(origin), run.flow, run.id) for origin in origins],
    )
    connection.executemany(
        _ATTEMPT,
        [
            (
                *_key_columns(run, Attempt(clone.key, clone.attempt)),
                "succeeded",
                None,
                None,
                clone.outcome.manifest.hex(),
                clone.outcome.width,
                clone.outcome.choice,
                None,
                None,
                str(clone.origin),
                "",
                0,
                0.0,
                0,
                clone.fingerprint.hex() if clone.fingerprint else None,
                position(clone.origin_key) if clone.origin_key else None,
                int(clone.origin not in deleted),
            )
            for clone in clones.clones
            if clone.key.step not in copied
        ],
    )


def _copy_steps(connection: Connection, clones: Clones, source: RunId) -> set[str]:
    """Copy the rows of those steps of which every task that succeeded is cloned; return these."""
    there = connection.execute(_COUNT_SUCCEEDED, (source.flow, source.id))
    wanted = Counter(clone.key.step for clone in clones.clones)
    steps = {step for step, count in there if wanted[step] == count}
    for step in steps:
        parameters = (clones.run.flow, clones.run.id, source.flow, source.id, step)
        connection.execute(_COPY_SUCCEEDED, parameters)
    return steps


def insert_end(connection: Connection, end: RunEnd) -> None:
    """Insert a run's end. What still counted as running then will never report."""
    run = (end.run.flow, end.run.id)
    connection.execute(
        """INSERT INTO run_ends (flow, run, status, finished_at, failed, failure)
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (flow, run) DO NOTHING""",
        (
            *run,
            end.status,
            microseconds(end.finished_at),
            encode(end.failed).decode(),
            _failure(end.failure),
        ),
    )
    connection.execute(
        "DELETE FROM attempts WHERE flow = ? AND run = ? AND status = 'running'", run
    )


def replace_tags(connection: Connection, run: RunId, tags: Sequence[str]) -> None:
    """Put `tags` in place of the user's tags that are there."""
    connection.execute(
        "INSERT INTO changed_tags (flow, run) VALUES (?, ?) ON CONFLICT (flow, run) DO NOTHING",
        (run.flow, run.id),
    )
    connection.execute(
        "DELETE FROM run_tags WHERE flow = ? AND run = ? AND is_system = 0", (run.flow, run.id)
    )
    _insert_tags(connection, run, tags, is_system=False)


def insert_heartbeat(
    connection: Connection, run: RunId, at: datetime, *, host: str, pid: int
) -> None:
    """Note a sign of life, unless a later one is there."""
    connection.execute(
        """INSERT INTO heartbeats (flow, run, seen_at, host, pid) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (flow, run) DO UPDATE SET
            seen_at = excluded.seen_at, host = excluded.host, pid = excluded.pid
        WHERE excluded.seen_at >= heartbeats.seen_at""",
        (run.flow, run.id, microseconds(at), host, pid),
    )


def delete_run(connection: Connection, run: RunId) -> None:
    """Remove all rows of a run, for good; what was found in it is found in its clones."""
    holders = connection.execute(
        "SELECT flow, run FROM clone_origins WHERE origin = ?", (str(run),)
    ).fetchall()
    connection.executemany(_HAND_ON, [(*holder, str(run)) for holder in holders])
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE flow = ? AND run = ?", (run.flow, run.id))
    connection.execute(
        "INSERT INTO deleted_runs (flow, run) VALUES (?, ?) ON CONFLICT (flow, run) DO NOTHING",
        (run.flow, run.id),
    )


def is_deleted(connection: Connection, run: RunId) -> bool:
    """Say whether a run was deleted: nothing is to be inserted for it again."""
    found = connection.execute(
        "SELECT 1 FROM deleted_runs WHERE flow = ? AND run = ?", (run.flow, run.id)
    )
    return found.fetchone() is not None


def delete_recorded(connection: Connection, run: RunId | None) -> None:
    """Remove all rows, or all of a run, but those of life and running attempts.

    What is left no record gives back.
    """
    which, values = ("", ()) if run is None else (" AND flow = ? AND run = ?", (run.flow, run.id))
    for table in (*_RECORDED, "deleted_runs"):
        connection.execute(f"DELETE FROM {table} WHERE 1 = 1{which}", values)
    connection.execute(f"DELETE FROM attempts WHERE status <> 'running'{which}", values)


def _insert_tags(
    connection: Connection, run: RunId, tags: Iterable[str], *, is_system: bool
) -> None:
    connection.executemany(
        "INSERT INTO run_tags (flow, run, is_system, tag) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (flow, run, is_system, tag) DO NOTHING",
        [(run.flow, run.id, int(is_system), tag) for tag in tags],
    )


def _key_columns(run: RunId, attempt: Attempt) -> tuple[object, ...]:
    key = attempt.key
    return run.flow, run.id, key.step, position(key), attempt.number, key.task_id


def _result_row(run: RunId, result: TaskResult) -> tuple[object, ...]:
    outcome = result.outcome
    return (
        *_key_columns(run, result.attempt),
        result.status,
        microseconds(result.started_at),
        microseconds(result.finished_at),
        outcome.manifest.hex() if outcome else None,
        outcome.width if outcome else None,
        outcome.choice if outcome else None,
        _failure(result.failure),
        _failure(result.caught),
        None,
        result.host,
        result.pid,
        result.cpu_s,
        result.peak_memory_bytes,
        _fingerprint(result),
        None,
        0,
    )


def _fingerprint(result: TaskResult) -> str | None:
    """Return what a task may be found by: nobody wants to find what failed, even if caught."""
    if result.fingerprint is None or result.status != "succeeded" or result.caught is not None:
        return None
    return result.fingerprint.digest.hex()


def _failure(failure: Failure | None) -> str | None:
    return encode(failure).decode() if failure else None
