"""Files that are read from front to back, for they say little of what is where: ORC and text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from flowkit.table.decoding import columnless
from flowkit.table.formats import FileFormat
from flowkit.table.projection import Unlike
from flowkit.table.shaping import Group, Shape
from flowkit.table.text_files import open_csv, open_json

if TYPE_CHECKING:
    import pyarrow

_ROWS: Final = 1 << 16
_MOST_BYTES: Final = 4 << 20
_LEAST_BYTES: Final = 1 << 17
"""Less would not hold long lines: one that is longer than a block cannot be read."""
_NAMELESS: Final = re.compile(r"_col\d+")


def block_bytes(memory_bytes: int | None) -> int:
    """Return how much text to parse at a time.

    pyarrow reads up to 32 blocks ahead, and of two files while one gives way to the next.
    """
    if memory_bytes is None:
        return _MOST_BYTES
    return min(_MOST_BYTES, max(_LEAST_BYTES, memory_bytes // 128))


class StreamedFile(Protocol):
    """A file whose rows come in batches."""

    @property
    def schema(self) -> pyarrow.Schema:
        """The columns that the file has."""
        ...

    @property
    def rows(self) -> int | None:
        """How many rows there are, if that can be told without reading them."""
        ...

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pyarrow.RecordBatch]:
        """Yield all rows, in batches of about so many at most, with these columns."""
        ...


def open_stream(
    open_file: Callable[[], Any],
    path: str,
    format: FileFormat,
    types: Mapping[str, pyarrow.DataType],
    *,
    block_bytes: int,
) -> StreamedFile:
    """Open a file of any format but Parquet.

    Args:
        open_file: opens the file: gives a path on this machine, or something to read from.
        path: where it is; its ending says how it is compressed.
        format: how it is written.
        types: the columns that the table may ask for, with their types; text has none of its own.
        block_bytes: how much text is parsed at a time.

    Raises:
        Unlike: the file is compressed or has columns in a way that cannot be read.
        OSError, pyarrow.ArrowInvalid: it is damaged.
    """
    if format.kind == "orc":
        return _OrcFile(open_file(), format)
    if format.kind == "csv":
        return open_csv(open_file, path, format, types, block_bytes)
    return open_json(open_file, path, types, block_bytes)


@dataclass(frozen=True, slots=True)
class StreamedPart:
    """A whole file that is read from front to back."""

    file: StreamedFile
    shape: Shape

    @property
    def groups(self) -> Sequence[Group]:
        """All of the file, as one group."""
        return [Group(0, 0, self.file.rows or 0)]

    def table(self) -> pyarrow.Table | None:
        """Return the rows that pass, or None if there are none."""
        import pyarrow

        tables = [one for one in self.batches(self.groups[0], _ROWS) if len(one)]
        return pyarrow.concat_tables(tables) if tables else None

    def count(self) -> int:
        """Return how many rows pass."""
        import pyarrow
        import pyarrow.compute as pc

        if self.shape.condition is None and self.file.rows is not None:
            return self.file.rows
        names = self.shape.names(self.shape.filtered)
        count = 0
        for batch in self.file.batches(names, _ROWS):
            decoded = pyarrow.Table.from_batches([batch])
            columns = self.shape.projected(self.shape.filtered, decoded, len(batch))
            mask = self.shape.mask(columns, [Group(0, 0, len(batch))])
            count += len(batch) if mask is None else pc.sum(mask).as_py() or 0
        return count

    def batches(self, group: Group, rows: int) -> Iterator[pyarrow.Table]:
        """Yield the rows that pass, at most so many at a time."""
        del group
        start = 0
        for batch in self.file.batches(self.shape.names(self.shape.needed), rows):
            for at in range(0, len(batch), rows):
                piece = batch.slice(at, rows)
                yield self.shape.passing(piece, start)
                start += len(piece)


class _OrcFile:
    def __init__(self, source: Any, format: FileFormat) -> None:
        import pyarrow.dataset
        import pyarrow.orc

        file = pyarrow.orc.ORCFile(source)
        self.rows: int | None = int(file.nrows)
        self._names = _names_in(file.schema.names, format.columns)
        self.schema = pyarrow.schema(
            [field.with_name(self._names[field.name]) for field in file.schema]
        )
        # Datasets decode a stripe bit by bit, where the plain reader takes it whole.
        local = pyarrow.fs.LocalFileSystem() if isinstance(source, str) else None
        self._fragment = pyarrow.dataset.OrcFileFormat().make_fragment(source, local)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pyarrow.RecordBatch]:
        own = {table_name: name for name, table_name in self._names.items()}
        if not columns:
            yield from columnless(self.rows or 0, rows)
            return
        scanner = self._fragment.scanner(
            columns=[own[name] for name in columns],
            batch_size=rows,
            batch_readahead=1,
            use_threads=False,
        )
        for batch in scanner.to_batches():
            if len(batch):
                yield batch.rename_columns(list(columns))


def _names_in(found: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Return what the table calls columns of an ORC file: older Hives wrote `_col0` and so on."""
    if columns and all(_NAMELESS.fullmatch(name) for name in found):
        if len(found) > len(columns):
            raise Unlike(f"it has {len(found)} columns without names, the table {len(columns)}")
        return dict(zip(found, columns, strict=False))
    return {name: name for name in found}
