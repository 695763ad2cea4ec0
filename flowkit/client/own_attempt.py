"""The attempt that this very process is in, which the index may not have been told of yet."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from flowkit.client.workspace import Workspace
from flowkit.values import RunId


def note_own_attempt(workspace: Workspace, run: RunId, step: str) -> None:
    """Let the index know of the attempt that asks, if it is one of this run and step.

    Runners tell the index of attempts in batches, a moment after they began. Who tells it first
    makes no difference: a row that is there stays as it is.
    """
    # A process that is in a task has loaded this room; others need not wait for it.
    if "flowkit.flow" not in sys.modules:
        return
    from flowkit.flow import current

    spec = current.find_spec()
    if spec is None or (spec.run, spec.attempt.key.step) != (run, step):
        return
    if spec.store.url != workspace.settings.store:
        return
    known = workspace.metadata.attempts(run, spec.attempt.key)
    if all(row.attempt != spec.attempt for row in known):
        workspace.metadata.record_started(run, [spec.attempt], datetime.now(UTC))
