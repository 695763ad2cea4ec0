"""Rows to answers about runs: filters, order and limits are the database's work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from flowkit.metadata.database import Database, Rows
from flowkit.metadata.liveness import is_alive
from flowkit.metadata.recording import microseconds
from flowkit.metadata.rows import FlowRow, RunRow, Snapshot
from flowkit.records import RunStatus
from flowkit.values import Digest, Failure, RunId, TaskKey
from flowkit.wire import decode

_COLUMNS = """r.flow, r.run, r.started_at, r.user_name, r.origin, r.parameters, r.start_step,
    r.end_step, r.host, r.pid, r.flowkit_version, r.python_version, e.status AS end_status,
    e.finished_at, e.failed, e.failure, h.seen_at, h.host AS seen_host, h.pid AS seen_pid"""
_TABLES = """runs r
    LEFT JOIN run_ends e ON e.flow = r.flow AND e.run = r.run
    LEFT JOIN heartbeats h ON h.flow = r.flow AND h.run = r.run"""
# Of runs that began at the same microsecond, the one with the higher number is the newer.
_NEWEST_FIRST = "{0}.started_at DESC, LENGTH({0}.run) DESC, {0}.run DESC, {0}.flow DESC"
# The first condition says nothing new, but an index answers it.
_OLDER = """r.started_at <= (SELECT c.started_at FROM runs c WHERE c.flow = ? AND c.run = ?)
    AND (r.started_at, LENGTH(r.run), r.run, r.flow) <
    (SELECT c.started_at, LENGTH(c.run), c.run, c.flow FROM runs c
    WHERE c.flow = ? AND c.run = ?)"""
_TAGGED = """EXISTS (SELECT 1 FROM run_tags t
    WHERE t.tag = ? AND t.flow = r.flow AND t.run = r.run)"""
_SNAPSHOTS = {
    "runs": "SELECT * FROM runs ORDER BY flow, run",
    "run_steps": "SELECT * FROM run_steps ORDER BY flow, run, step",
    "run_ends": "SELECT * FROM run_ends ORDER BY flow, run",
    "run_tags": "SELECT * FROM run_tags ORDER BY flow, run, is_system, tag",
    "clone_origins": "SELECT * FROM clone_origins ORDER BY origin, flow, run",
    "attempts": "SELECT * FROM attempts WHERE status <> 'running' "
    "ORDER BY flow, run, step, position, attempt",
}


class RunFilter(Struct, frozen=True, kw_only=True):
    """Which runs are asked for; None asks for all. `since` is included, `until` is not."""

    flow: str | None = None
    run: str | None = None
    tags: Sequence[str] = ()
    status: RunStatus | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: RunId | None = None


def time_of(microseconds_utc: int) -> datetime:
    """Return the time that many microseconds after 1970, in UTC."""
    # A float of seconds is within half a microsecond of the truth until the year 2242, so this
    # rounds to exactly the right one; adding a timedelta takes twice as long.
    return datetime.fromtimestamp(microseconds_utc / 1e6, UTC)


def run_named(text: str) -> RunId:
    """Read `Flow/12`. Raises ValueError."""
    flow, slash, run = text.partition("/")
    if not slash:
        raise ValueError(f"`{text}` is not a run")
    return RunId(flow, run)


def read_flows(database: Database, tags: Sequence[str]) -> list[FlowRow]:
    """Return the flows that have runs with all these tags, by name."""
    where = f"WHERE {' AND '.join([_TAGGED] * len(tags))}" if tags else ""
    return database.read(
        f"""SELECT r.flow, COUNT(*), MIN(r.started_at), MAX(r.started_at) FROM runs r {where}
        GROUP BY r.flow ORDER BY r.flow""",
        tags,
        lambda rows: [
            FlowRow(
                name=name,
                runs=count,
                first_started_at=time_of(first),
                last_started_at=time_of(last),
            )
            for name, count, first, last in rows
        ],
    )


def read_runs(database: Database, wanted: RunFilter, *, limit: int | None) -> list[RunRow]:
    """Return the runs that match, newest first, `limit` at most."""
    if wanted.status not in ("running", "lost"):
        return _read_page(database, wanted, limit)
    return list(islice(_unended(database, wanted), limit))


def read_seen_at(database: Database, run: RunId) -> datetime | None:
    """Return when a run's driver last gave a sign of life, or None."""
    return database.read(
        "SELECT seen_at FROM heartbeats WHERE flow = ? AND run = ?",
        (run.flow, run.id),
        lambda rows: time_of(rows[0][0]) if rows else None,
    )


def check_heartbeats(database: Database) -> None:
    """See that all signs of life can be read. Raises MetadataError."""
    database.read(
        "SELECT seen_at, host, pid FROM heartbeats",
        (),
        lambda rows: [
            is_alive(time_of(seen_at), host=host, pid=pid) for seen_at, host, pid in rows
        ],
    )


def count_runs(database: Database, wanted: RunFilter) -> int:
    """Return how many runs match."""
    if wanted.status in ("running", "lost"):
        return sum(1 for _ in _unended(database, wanted))
    where, parameters = _where(wanted)
    sql = f"SELECT COUNT(*) FROM {_TABLES} {where}"
    return database.read(sql, parameters, lambda rows: int(rows[0][0]))


def _unended(database: Database, wanted: RunFilter, *, page_size: int = 100) -> Iterator[RunRow]:
    """Yield runs that are `running` or `lost`: the database cannot tell one from the other.

    The process and its last sign of life can; runs without an end are few enough to ask each.
    """
    while True:
        page = _read_page(database, wanted, page_size)
        yield from (row for row in page if row.status == wanted.status)
        if len(page) < page_size:
            return
        wanted = replace(wanted, before=page[-1].run)


def _read_page(database: Database, wanted: RunFilter, limit: int | None) -> list[RunRow]:
    where, parameters = _where(wanted)
    page = f"SELECT {_COLUMNS} FROM {_TABLES} {where}"
    if limit is not None:
        page += f" ORDER BY {_NEWEST_FIRST.format('r')} LIMIT ?"
        parameters.append(limit)
    # One row a tag, so that a page of runs and all their tags are one query.
    return database.read(
        f"""SELECT p.*, t.is_system, t.tag FROM ({page}) p
        LEFT JOIN run_tags t ON t.flow = p.flow AND t.run = p.run
        ORDER BY {_NEWEST_FIRST.format("p")}, t.tag""",
        parameters,
        lambda rows: [_run_row(list(same)) for _, same in groupby(rows, key=lambda row: row[:2])],
    )


def _where(wanted: RunFilter) -> tuple[str, list[object]]:
    tests: list[tuple[str, tuple[object, ...]]] = [(_TAGGED, (tag,)) for tag in wanted.tags]
    if wanted.flow is not None:
        tests.append(("r.flow = ?", (wanted.flow,)))
    if wanted.run is not None:
        tests.append(("r.run = ?", (wanted.run,)))
    if wanted.user is not None:
        tests.append(("r.user_name = ?", (wanted.user,)))
    if wanted.since is not None:
        tests.append(("r.started_at >= ?", (microseconds(wanted.since),)))
    if wanted.until is not None:
        tests.append(("r.started_at < ?", (microseconds(wanted.until),)))
    if wanted.before is not None:
        tests.append((_OLDER, (wanted.before.flow, wanted.before.id) * 2))
    if wanted.status in ("running", "lost"):
        tests.append(("e.status IS NULL", ()))
    elif wanted.status is not None:
        tests.append(("e.status = ?", (wanted.status,)))
    where = f"WHERE {' AND '.join(test for test, _ in tests)}" if tests else ""
    return where, [one for _, values in tests for one in values]


def _run_row(rows: Rows) -> RunRow:
    """Make one run of its rows, which differ in their last two columns, the tags."""
    first = rows[0]
    end_status, finished_at, failed, failure, seen_at, seen_host, seen_pid = first[12:19]
    if seen_at is not None and seen_at < first[2]:
        seen_at = None  # of another store's run, which had the same id
    host, pid = (first[8], first[9]) if seen_at is None else (seen_host, seen_pid)
    status: Any = end_status
    if status is None:
        # A run that only began counts as seen when it began.
        seen = time_of(max(first[2], seen_at or 0))
        status = "running" if is_alive(seen, host=host, pid=pid) else "lost"
    return RunRow(
        run=RunId(first[0], first[1]),
        status=status,
        started_at=time_of(first[2]),
        finished_at=None if finished_at is None else time_of(finished_at),
        user=first[3],
        tags=tuple(row[20] for row in rows if row[19] == 0),
        system_tags=tuple(row[20] for row in rows if row[19] == 1),
        origin=run_named(first[4]) if first[4] else None,
        parameters=Digest.parse(first[5]),
        start_step=first[6],
        end_step=first[7],
        host=host,
        pid=pid,
        flowkit_version=first[10],
        python_version=first[11],
        failed=decode(tuple[TaskKey, ...], failed.encode(), name="failed") if failed else (),
        failure=decode(Failure, failure.encode(), name="failure") if failure else None,
    )


def read_snapshot(database: Database) -> Snapshot:
    """Return all rows but those of running attempts, heartbeats and marks, sorted."""
    return {table: database.read(sql, (), tuple) for table, sql in _SNAPSHOTS.items()}
