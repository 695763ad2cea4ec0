"""Rows that files of position deletes name, and that no longer count."""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowkit.table.files import Files

if TYPE_CHECKING:
    import pyarrow


class Deletes:
    """Reads files of position deletes, each once, and says which rows of a data file are gone."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: dict[str, pyarrow.Table] = {}
        self._lock = threading.Lock()

    def positions(self, paths: Sequence[str], data_file: str) -> pyarrow.ChunkedArray:
        """Return the numbers of the rows of a data file that the delete files name.

        Raises:
            DataFileMissing, SnapshotExpired: a file of deletes is not there.
            OSError, pyarrow.ArrowInvalid: one is damaged.
        """
        import pyarrow
        import pyarrow.compute as pc

        chunks: list[pyarrow.Array] = []
        for path in paths:
            table = self._table(path)
            its_own = pc.equal(table.column("file_path"), data_file)
            chunks += table.column("pos").filter(its_own).chunks
        return pyarrow.chunked_array(chunks, pyarrow.int64())

    def _table(self, path: str) -> pyarrow.Table:
        import pyarrow.parquet

        with self._lock:
            if path not in self._read:
                data = io.BytesIO(self._files.read(path))
                self._read[path] = pyarrow.parquet.read_table(data, columns=["file_path", "pos"])
            return self._read[path]


def surviving(positions: pyarrow.ChunkedArray, start: int, rows: int) -> pyarrow.Array:
    """Return a mask over rows of a file from `start` on: True for those that are not deleted."""
    import pyarrow
    import pyarrow.compute as pc

    numbers = pyarrow.arange(start, start + rows)
    return pc.invert(pc.is_in(numbers, value_set=positions))
