"""An attempt's log: in the store once the attempt has ended, in a live file until then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flowkit.client.workspace import Workspace
from flowkit.errors import StoreError
from flowkit.logs import LogLine, parse_log
from flowkit.values import Attempt, RunId


def live_log(home: Path, run: RunId, attempt: Attempt) -> Path:
    """Return where an attempt's log is while it runs."""
    name = f"{attempt.key.task_id}-{attempt.number}.log"
    return home / "live" / run.flow / run.id / attempt.key.step / name


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
            raise StoreError(
                f"the log of `{run}/{attempt.key}` cannot be read: {error.strerror}",
                hint=f"make the files below `{workspace.settings.home}` readable",
            ) from error
    return parse_log(data, name=f"log of {run}/{attempt.key}")
