"""A shard: some rows of a snapshot as a small value that any process on any machine can read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from flowkit.errors import UsageError
from flowkit.table.conditions import Condition
from flowkit.table.files import TableKind
from flowkit.table.formats import FileFormat

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """The row groups of a data file that begin within a range of its bytes.

    `stop` None means to the end: with `start` 0 the whole file. `known` are values of columns
    that the partition fixes, which files of migrated tables do not hold, by the numbers of
    fields. `deletes` are files that name rows which no longer count.
    """

    path: str
    rows: int | None
    """Rows of the part, nearly so if it is not the whole file, before any is left out; None if
    the file must be opened to know."""
    size_bytes: int
    start: int = 0
    stop: int | None = None
    known: tuple[tuple[int, Any], ...] = ()
    deletes: tuple[str, ...] = ()
    all_pass: bool = False
    """Whether every row is known to pass the filter."""
    format: int | None = None
    """Which of the shard's formats the file has; None is Parquet."""

    @property
    def is_whole(self) -> bool:
        """Whether the part is all of the file."""
        return self.start == 0 and self.stop is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Some rows of one snapshot of a table; read it with `DataFrame.read`.

    It is plain data: pickled or as JSON it keeps for as long as the snapshot does.
    `schema` is an Arrow schema in IPC form, base64, whose fields carry their numbers; the first
    `width` are the columns asked for, those behind them serve the filter only.
    """

    table: str
    catalog: str
    snapshot: int | None
    schema: str
    width: int
    parts: tuple[FilePart, ...]
    condition: Condition | None = None
    defaults: tuple[tuple[int, Any], ...] = ()
    """Values of columns in files that are older than the column, by the numbers of fields."""
    names: tuple[tuple[str, int], ...] = ()
    """The numbers of fields by their names, for files that were written without numbers."""
    kind: TableKind = "iceberg"
    """In Hive's tables columns are known by name, whatever numbers files may carry."""
    formats: tuple[FileFormat, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Bytes to read at most."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def rows(self) -> int | None:
        """Rows before filters and deletes; None if files must be opened to know."""
        return total(part.rows for part in self.parts)

    def arrow_schema(self) -> pyarrow.Schema:
        """Return the schema, filter columns and numbers of fields included."""
        import pyarrow

        return pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(self.schema)))

    def to_json(self) -> str:
        """Return the shard as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Shard:
        """Read what `to_json` returned. Raises UsageError for anything else."""
        try:
            shard = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise UsageError(
                f"this is no shard as JSON: {error}", hint="take what `Shard.to_json` returned"
            ) from error
        return replace(shard, condition=_frozen(shard.condition))

    def __repr__(self) -> str:
        rows = "" if self.rows is None else f"{self.rows:,} rows, "
        return (
            f"<Shard of {self.table}: {len(self.parts)} parts of files, {rows}"
            f"{self.size_bytes:,} bytes>"
        )


def total(rows: Iterable[int | None]) -> int | None:
    """Add up numbers of rows; None if one of them is not known."""
    known = list(rows)
    return None if None in known else sum(one or 0 for one in known)


def encoded_schema(schema: pyarrow.Schema) -> str:
    """Return an Arrow schema as shards have it."""
    return base64.b64encode(schema.serialize()).decode()


def pack(
    parts: Sequence[FilePart], offsets: Callable[[int], Sequence[int]], n: int
) -> list[list[FilePart]]:
    """Deal parts out into at most `n` lots of nearly equal bytes; none is empty.

    Files of more than a lot's share are cut where their row groups begin. The same parts give
    the same lots, each in the order of the parts.

    Args:
        parts: whole files.
        offsets: says where the row groups of a file begin, in bytes, empty if it is not known;
            it is asked about large files only.
        n: how many lots.
    """
    share = sum(part.size_bytes for part in parts) / n
    pieces: list[FilePart] = []
    for at, part in enumerate(parts):
        pieces += _cut(part, sorted(set(offsets(at)))) if part.size_bytes > share else [part]
    # The largest first, each to the lot that has least: no lot is far from its share.
    loads = [(0, number) for number in range(n)]
    lots: list[list[int]] = [[] for _ in range(n)]
    for at in sorted(range(len(pieces)), key=lambda at: (-pieces[at].size_bytes, at)):
        load, number = heappop(loads)
        lots[number].append(at)
        heappush(loads, (load + pieces[at].size_bytes, number))
    # Lots in the order of the table too: they are read, and looked at, one after the other.
    dealt = sorted(sorted(lot) for lot in lots if lot)
    return [_joined([pieces[at] for at in lot]) for lot in dealt]


def _cut(part: FilePart, starts: Sequence[int]) -> list[FilePart]:
    if len(starts) < 2 or not all(0 <= one < part.size_bytes for one in starts):
        return [part]
    # From 0 on and to the end, so that no byte, and no row group, is in none.
    edges = [0, *starts[1:], part.size_bytes]
    pieces = []
    for start, stop in pairwise(edges):
        pieces.append(
            replace(
                part,
                start=start,
                stop=None if stop == part.size_bytes else stop,
                size_bytes=stop - start,
                rows=_share(part, stop) - _share(part, start) if part.rows is not None else None,
            )
        )
    return pieces


def _share(part: FilePart, byte: int) -> int:
    return (part.rows or 0) * byte // part.size_bytes


def _joined(parts: Sequence[FilePart]) -> list[FilePart]:
    """Make one part of those that follow one another in a file."""
    joined: list[FilePart] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last is not None and last.path == part.path and last.stop == part.start:
            joined[-1] = replace(
                last,
                stop=part.stop,
                size_bytes=last.size_bytes + part.size_bytes,
                rows=total([last.rows, part.rows]),
            )
        else:
            joined.append(part)
    return joined


def _frozen(value: Any) -> Any:
    """Return what JSON made lists of as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
