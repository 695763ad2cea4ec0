"""What a process has from whoever started it, and importing a flow may change."""

from __future__ import annotations

import os
from contextlib import suppress

from flowkit.folder import current_folder, go_back


class Inherited:
    """Environment, folder, umask and niceness of this process.

    Make it before the import. A child that becomes a fresh interpreter calls `put_back` and gets
    `environ`: importing again, it would change twice what the import adds to.
    """

    def __init__(self) -> None:
        self.environ = dict(os.environ)
        self._folder = current_folder()
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._niceness = os.getpriority(os.PRIO_PROCESS, 0)

    def put_back(self) -> None:
        """Set all but the environment as it was before the import."""
        go_back(self._folder)
        os.umask(self._umask)
        with suppress(OSError):  # not every user may become less nice again
            os.setpriority(os.PRIO_PROCESS, 0, self._niceness)
