"""The index's schema, version by version.

A migration is never edited once released; the next one changes what it made. Plain SQL that
PostgreSQL understands too: text, whole and real numbers; times are microseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowkit.errors import MetadataError

if TYPE_CHECKING:
    from sqlite3 import Connection


def first(connection: Connection) -> None:
    """Make the tables."""
    for statement in (
        """CREATE TABLE runs (
            flow TEXT NOT NULL, run TEXT NOT NULL, started_at BIGINT NOT NULL,
            user_name TEXT NOT NULL, origin TEXT, parameters TEXT NOT NULL,
            start_step TEXT NOT NULL, end_step TEXT NOT NULL,
            host TEXT NOT NULL, pid BIGINT NOT NULL,
            flowkit_version TEXT NOT NULL, python_version TEXT NOT NULL,
            PRIMARY KEY (flow, run))""",
        "CREATE INDEX runs_of_flow_by_start ON runs (flow, started_at)",
        "CREATE INDEX runs_by_start ON runs (started_at)",
        """CREATE TABLE run_steps (
            flow TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, place INTEGER NOT NULL,
            PRIMARY KEY (flow, run, step))""",
        """CREATE TABLE run_ends (
            flow TEXT NOT NULL, run TEXT NOT NULL, status TEXT NOT NULL,
            finished_at BIGINT NOT NULL, failed TEXT NOT NULL, failure TEXT,
            PRIMARY KEY (flow, run))""",
        """CREATE TABLE run_tags (
            flow TEXT NOT NULL, run TEXT NOT NULL, is_system INTEGER NOT NULL, tag TEXT NOT NULL,
            PRIMARY KEY (flow, run, is_system, tag))""",
        "CREATE INDEX run_tags_by_tag ON run_tags (tag, flow, run)",
        # Marks runs whose tags came from `record_tags`: those at the start no longer count.
        """CREATE TABLE changed_tags (
            flow TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (flow, run))""",
        """CREATE TABLE heartbeats (
            flow TEXT NOT NULL, run TEXT NOT NULL, seen_at BIGINT NOT NULL,
            host TEXT NOT NULL, pid BIGINT NOT NULL, PRIMARY KEY (flow, run))""",
        # The key's order is the order of listings, and finds a task's later attempts.
        """CREATE TABLE attempts (
            flow TEXT NOT NULL, run TEXT NOT NULL, step TEXT NOT NULL, position TEXT NOT NULL,
            attempt INTEGER NOT NULL, task_id TEXT NOT NULL, status TEXT NOT NULL,
            started_at BIGINT, finished_at BIGINT,
            manifest TEXT, width BIGINT, choice TEXT, failure TEXT, caught TEXT, origin TEXT,
            host TEXT NOT NULL, pid BIGINT NOT NULL,
            cpu_s DOUBLE PRECISION NOT NULL, peak_memory_bytes BIGINT NOT NULL,
            PRIMARY KEY (flow, run, step, position, attempt))""",
    ):
        connection.execute(statement)


def second(connection: Connection) -> None:
    """Find tasks by what they depend on, and clones by the task that computed them."""
    for statement in (
        "ALTER TABLE attempts ADD COLUMN fingerprint TEXT",
        # Set where a clone stands at another place than the task that computed it.
        "ALTER TABLE attempts ADD COLUMN origin_position TEXT",
        "CREATE INDEX attempts_by_fingerprint ON attempts (flow, step, fingerprint) "
        "WHERE fingerprint IS NOT NULL",
    ):
        connection.execute(statement)


def third(connection: Connection) -> None:
    """Remember deleted runs, of which nothing counts any more, and changes that may be cut off."""
    for statement in (
        "CREATE TABLE deleted_runs (flow TEXT NOT NULL, run TEXT NOT NULL, "
        "PRIMARY KEY (flow, run))",
        """CREATE TABLE changes (
            token TEXT NOT NULL, flow TEXT NOT NULL, run TEXT NOT NULL, began_at BIGINT NOT NULL,
            host TEXT NOT NULL, pid BIGINT NOT NULL, PRIMARY KEY (token))""",
    ):
        connection.execute(statement)


def fourth(connection: Connection) -> None:
    """Find only what was computed, or stands for what was and is deleted.

    A clone is not found while its origin is there, so that a resume of 100,000 tasks does not
    write as many fingerprints all over an index; `clone_origins` tells what to find again later.
    What is written without knowing of this is found.
    """
    for statement in (
        "ALTER TABLE attempts ADD COLUMN has_origin INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE clone_origins (
            origin TEXT NOT NULL, flow TEXT NOT NULL, run TEXT NOT NULL,
            PRIMARY KEY (origin, flow, run))""",
        """INSERT INTO clone_origins (origin, flow, run)
            SELECT DISTINCT origin, flow, run FROM attempts WHERE origin IS NOT NULL""",
        """UPDATE attempts SET has_origin = 1 WHERE origin IS NOT NULL
            AND origin NOT IN (SELECT flow || '/' || run FROM deleted_runs)""",
        "DROP INDEX attempts_by_fingerprint",
        "CREATE INDEX attempts_by_fingerprint ON attempts (flow, step, fingerprint) "
        "WHERE fingerprint IS NOT NULL AND has_origin = 0",
    ):
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (first, second, third, fourth)
"""In order: number N makes version N of version N - 1; version 0 is an empty database."""


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, inside the caller's write transaction.

    Raises MetadataError if a newer flowkit made it.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    found = schema_version(connection)
    if found == 0:
        connection.execute("INSERT INTO schema_version (version) VALUES (0)")
    for version, migration in enumerate(MIGRATIONS[found:], start=found + 1):
        migration(connection)
        connection.execute("UPDATE schema_version SET version = ?", (version,))


def schema_version(connection: Connection) -> int:
    """Return the schema's version, 0 if it has none yet. Raises MetadataError if it is too new."""
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    found = int(row[0]) if row else 0
    if found > len(MIGRATIONS):
        raise MetadataError(
            f"the metadata index has version {found}, "
            f"and this flowkit knows versions up to {len(MIGRATIONS)}",
            hint="upgrade flowkit: `pip install --upgrade flowkit`",
        )
    return found
