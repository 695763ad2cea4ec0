"""Forgetting old snapshots, and deleting the files that only they led to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind
from flowkit.table.history import ancestors, head_of
from flowkit.table.loading import refresh_table
from flowkit.table.reachable import metadata_files, place_of, snapshot_files
from flowkit.table.retrying import Attempts, uncertain_errors


@dataclass(frozen=True, slots=True)
class Expired:
    """What expiry forgot: snapshots by id, and the files that were deleted with them."""

    snapshot_ids: tuple[int, ...]
    deleted_files: tuple[str, ...]


def expire(table: Table, *, older_than: datetime, keep_last: int = 1) -> Expired:
    """Forget snapshots that are older than a time, and delete what only they need.

    Kept are the heads of branches and tags, the last `keep_last` snapshots of each branch, and
    what a branch has beyond `main`, so that it can still be published. Snapshots are forgotten
    first, in one change of metadata, and files deleted after: whoever is stopped in between
    leaves orphans. Readers of a forgotten snapshot lose their files, and a commit's key is
    forgotten with its snapshot.

    Raises:
        UsageError: `older_than` has no time zone, or the table's `gc.enabled` is off.
        CommitFailed: the catalog failed.
    """
    check_kind("older_than", older_than, datetime, hint="give a time: `datetime.now(UTC)`")
    check_kind("keep_last", keep_last, int, hint="give a number of snapshots")
    if older_than.tzinfo is None:
        raise UsageError("`older_than` has no time zone", hint="use `datetime.now(UTC)`")
    check_deletable(table)
    attempts = Attempts(".".join(table.name()), table.properties)
    for _ in attempts:
        refresh_table(table)
        old = list(_old(table.metadata, older_than.timestamp() * 1000, keep_last))
        if not old:
            return Expired((), ())
        # Read before the metadata changes: afterwards nothing says what they led to.
        files = dict.fromkeys(snapshot_files(table, old, gone=True))
        ids = [one.snapshot_id for one in old]
        try:
            table.maintenance.expire_snapshots().by_ids(ids).commit()
        except uncertain_errors() as error:
            attempts.failed(error)
            continue
        return Expired(tuple(ids), tuple(_delete_unreachable(table, files)))
    raise attempts.given_up()


def check_deletable(table: Table) -> None:
    """Check that files of a table may be deleted. Raises UsageError."""
    if table.properties.get("gc.enabled", "true").lower() == "false":
        raise UsageError(
            f"table `{'.'.join(table.name())}` has `gc.enabled` off: its files may belong to "
            "other tables",
            hint="set the table's property `gc.enabled` to `true` if they do not",
        )


def _old(metadata: TableMetadata, before_ms: float, keep_last: int) -> Iterator[Snapshot]:
    main = {one.snapshot_id for one in ancestors(metadata, head_of(metadata, MAIN_BRANCH))}
    kept: set[int] = set()
    for name, ref in metadata.refs.items():
        kept.add(ref.snapshot_id)
        if ref.snapshot_ref_type is SnapshotRefType.BRANCH:
            line = list(ancestors(metadata, head_of(metadata, name)))
            count = max(keep_last, ref.min_snapshots_to_keep or 1)
            kept.update(one.snapshot_id for one in islice(line, count))
            if name != MAIN_BRANCH:
                kept.update(_until(line, main))
    for snapshot in metadata.snapshots:
        if snapshot.timestamp_ms < before_ms and snapshot.snapshot_id not in kept:
            yield snapshot


def _until(line: list[Snapshot], main: set[int]) -> Iterator[int]:
    """Yield the snapshots of a branch down to the one where it left `main`."""
    for snapshot in line:
        yield snapshot.snapshot_id
        if snapshot.snapshot_id in main:
            return


def _delete_unreachable(table: Table, files: dict[str, None]) -> Iterator[str]:
    refresh_table(table)
    needed = set(map(place_of, snapshot_files(table, table.metadata.snapshots)))
    needed.update(map(place_of, metadata_files(table)))
    for path in files:
        if place_of(path) not in needed:
            # Gone already: an earlier expiry was stopped, or somebody cleaned up.
            with suppress(FileNotFoundError):
                table.io.delete(path)
                yield path
