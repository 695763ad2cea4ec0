"""Opening a store together with its index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowkit.client import Workspace, open_workspace


def test_an_index_that_was_removed_is_built_from_the_store(
    workspace: Workspace, begin: Callable[..., Any]
) -> None:
    run = begin(1).run
    before = workspace.metadata.snapshot()
    workspace.close()
    for file in Path(workspace.settings.metadata).parent.glob("metadata.db*"):
        file.unlink()
    again = open_workspace(workspace.settings)
    assert again.metadata.snapshot() == before
    assert again.metadata.run(run) is not None
    again.close()
