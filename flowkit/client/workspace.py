"""Where runs are: a store, its index, and the settings that name them."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from flowkit.errors import MetadataError, StoreError

if TYPE_CHECKING:
    from flowkit.metadata import Metadata
    from flowkit.settings import Settings
    from flowkit.store import Store


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    """A store and the index over it. Threads may share one, and forked children go on with it."""

    store: Store
    metadata: Metadata
    settings: Settings

    def close(self) -> None:
        """Release the index. May be called twice."""
        self.metadata.close()


def open_workspace(settings: Settings | None = None) -> Workspace:
    """Open the store and the index that the settings name, by default those of this folder.

    An index that knows nothing of a store that has runs was removed, or never made: it is built
    from the store. Where a process died while it changed a run, the index is made to agree again.

    Raises:
        UsageError: a setting is wrong.
        StoreError: the store cannot be opened.
        MetadataError: the index cannot be opened.
    """
    from flowkit.metadata import Metadata
    from flowkit.store import Store

    if settings is None:
        from flowkit.settings import read_settings

        settings = read_settings(Path.cwd(), {}).settings
    store = Store.open(settings.store, sync=settings.sync, verify=settings.verify)
    metadata = Metadata.open(settings.metadata)
    if metadata.is_empty and next(store.run_ids(), None) is not None:
        from flowkit.store import reindex

        reindex(store, metadata)
    _settle(store, metadata)
    return Workspace(store, metadata, settings)


def _settle(store: Store, metadata: Metadata) -> None:
    """Tell the index of the runs that somebody was changing who died before it agreed."""
    for change in metadata.cut_off():
        from flowkit.store import reindex_run

        # Whoever may only read leaves it to the next.
        with suppress(MetadataError, StoreError), metadata.batch():
            reindex_run(store, change.run, metadata)
            metadata.settle(change)


_lock = threading.Lock()
_in_use: Workspace | None = None


class Use:
    """Gives back, at the end of a `with` block, the workspace that was in use before."""

    def __init__(self, before: Workspace | None) -> None:
        self._before = before

    def __enter__(self) -> None:
        """The workspace is in use already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _put_in_use(self._before)


def use_workspace(workspace: Workspace) -> Use:
    """Let views that are given no workspace of their own use this one, in all threads.

    It holds from the call on; as a context manager it ends with the block.
    """
    return Use(_put_in_use(workspace))


def current_workspace() -> Workspace:
    """Return the workspace in use; the first call in a process opens the default one.

    Raises what `open_workspace` raises.
    """
    global _in_use
    with _lock:
        if _in_use is None:
            _in_use = open_workspace()
        return _in_use


def _put_in_use(workspace: Workspace | None) -> Workspace | None:
    global _in_use
    with _lock:
        before, _in_use = _in_use, workspace
        return before
