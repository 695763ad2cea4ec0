"""Which runs may go: by their age, their number and their tags. And deleting a run."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flowkit.client.task_logs import live_folder
from flowkit.client.workspace import Workspace
from flowkit.errors import MetadataError
from flowkit.metadata import DamagedIndex, IndexHasNoRoom, RunRow
from flowkit.values import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which runs are kept; a run goes if nothing here keeps it, and it has ended.

    `within`: runs that began so long ago or later; None keeps none for its age. `last`: so many
    runs of each flow, the newest ones. `tags`: runs that have one of them. `flow`: runs of all
    other flows.
    """

    within: timedelta | None = None
    last: int = 0
    tags: frozenset[str] = frozenset()
    flow: str | None = None


def expired_runs(workspace: Workspace, retention: Retention, *, now: datetime) -> list[RunRow]:
    """Return the runs that nothing keeps, newest first."""
    seen: Counter[str] = Counter()
    found = []
    for row in workspace.metadata.runs(retention.flow):
        seen[row.run.flow] += 1
        is_kept = (
            row.status == "running"
            or seen[row.run.flow] <= retention.last
            or (retention.within is not None and row.started_at >= now - retention.within)
            or not retention.tags.isdisjoint({*row.tags, *row.system_tags})
        )
        if not is_kept:
            found.append(row)
    return found


def delete_run(workspace: Workspace, run: RunId) -> None:
    """Delete a run: its tasks, logs and tags. Its number is never used again.

    The bytes of its artifacts go with the next collection, unless another run needs them.

    Raises:
        MetadataError: the index cannot be changed. Where it has no room or is damaged, the run is
            gone from the store all the same, as the error says.
        StoreError: the store cannot be changed.
    """
    with ExitStack() as stack:
        # The index first: what it lists must be there to be looked at. Where the disk is full, it
        # cannot be told, and deleting is how to change that.
        with suppress(IndexHasNoRoom, DamagedIndex):
            stack.enter_context(workspace.metadata.changing(run))
            workspace.metadata.forget_run(run)
        workspace.store.delete_run(run)
        # Again: it may have been built from the store in between.
        try:
            workspace.metadata.forget_run(run)
        except MetadataError as error:
            hint = "free space with `flowkit gc`, then delete the run again"
            raise MetadataError(
                f"run `{run}` is deleted, but the index still lists it: {error.message}",
                hint=error.hint if isinstance(error, DamagedIndex) else hint,
            ) from error
    shutil.rmtree(live_folder(workspace.settings.home, run), ignore_errors=True)
