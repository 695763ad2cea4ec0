"""Opening a store together with its index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowkit.client import Workspace, delete_run, open_workspace
from flowkit.errors import StoreError
from flowkit.metadata import Metadata
from flowkit.store import reindex
from flowkit.values import RunId


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


def test_a_run_whose_deletion_is_cut_off_is_listed_as_before(
    whole_run: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workspace.metadata.snapshot()

    def fail(_: object) -> None:
        raise StoreError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(workspace.store, "delete_run", fail)
        with pytest.raises(StoreError):
            delete_run(workspace, whole_run.run)
    assert workspace.metadata.runs() == []
    again = open_workspace(workspace.settings)
    assert again.metadata.snapshot() == before
    again.close()


class Rebuilt(Metadata):
    """An index that is built again between a run's deletion here and in the store."""

    rebuild: Callable[[], object] | None = None

    def forget_run(self, run: RunId) -> None:
        super().forget_run(run)
        if self.rebuild is not None:
            rebuild, self.rebuild = self.rebuild, None
            rebuild()


def test_a_run_that_is_deleted_beside_a_reindex_is_not_listed(
    whole_run: Any, workspace: Workspace
) -> None:
    index = Rebuilt.open(workspace.settings.metadata)
    index.rebuild = lambda: reindex(workspace.store, workspace.metadata)
    delete_run(Workspace(workspace.store, index, workspace.settings), whole_run.run)
    index.close()
    assert workspace.metadata.runs() == []
    assert workspace.metadata.run(whole_run.run) is None
