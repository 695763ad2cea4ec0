"""One version of a Hive table, as a scan asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from flowkit.table.conditions import Condition
from flowkit.table.decoding import open_parquet
from flowkit.table.errors import DataFileDamaged
from flowkit.table.files import Files
from flowkit.table.filters import condition_of
from flowkit.table.formats import FileFormat, FormatKind
from flowkit.table.hive.keys import plain_values
from flowkit.table.hive.listing import FoundFile
from flowkit.table.hive.pruning import prune
from flowkit.table.shards import FilePart
from flowkit.table.targets import Target, named_target, names_within

if TYPE_CHECKING:
    import pyarrow
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A data file that a scan must read: where it is, and the values that its partition fixes."""

    path: str
    size_bytes: int
    format: FormatKind
    partition: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class HivePlan:
    """The files that a scan must read, as they were found and as shards have them."""

    files: tuple[HiveFile, ...]
    whole: tuple[FilePart, ...] = field(repr=False)
    formats: tuple[FileFormat, ...]
    offsets_of: Callable[[FilePart], Sequence[int]] = field(repr=False, compare=False)

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    @property
    def rows(self) -> int | None:
        """Rows in these files: none are counted before they are opened."""
        return None if self.files else 0

    @property
    def size_bytes(self) -> int:
        """Bytes of these files."""
        return sum(one.size_bytes for one in self.files)

    def parts(self) -> tuple[FilePart, ...]:
        """Return the files as shards have them, each whole."""
        return self.whole

    def split_offsets(self, at: int) -> Sequence[int]:
        """Say where the row groups of a file begin, in bytes, for which its footer is read."""
        return self.offsets_of(self.whole[at])

    def __repr__(self) -> str:
        return f"<Plan: {len(self.files):,} files, {self.size_bytes:,} bytes>"


class Partitions(Protocol):
    """The partitions of a table, one if it has no keys."""

    @property
    def keys(self) -> Mapping[str, pyarrow.Array]:
        """The values of each key, one for each partition."""
        ...

    def __len__(self) -> int: ...

    def files(self, wanted: Sequence[int]) -> Iterable[tuple[int, FileFormat, Sequence[FoundFile]]]:
        """Yield the files of some partitions, by their numbers, in that order."""
        ...


class HiveSource:
    """A Hive table at the time when it was asked for its partitions."""

    snapshot: int | None = None

    def __init__(
        self, *, name: str, catalog: str, schema: Schema, partitions: Partitions, files: Files
    ) -> None:
        self.name, self.catalog, self.schema = name, catalog, schema
        self.files = files
        self._partitions = partitions

    def target(self, columns: Sequence[str] | None, condition: Condition | None) -> Target:
        """Describe the columns of a scan. Raises UnknownColumn."""
        from pyiceberg.table.name_mapping import create_mapping_from_schema

        keys = self._partitions.keys
        # A key is what its folder says, whatever a file may have under its name.
        names = tuple(
            (name, number)
            for name, number in names_within(create_mapping_from_schema(self.schema).root)
            if name not in keys
        )
        return named_target(self.schema, columns, condition, names, table=self.name)

    def plan(self, where: BooleanExpression) -> HivePlan:
        """Return the files that may hold rows which pass, in the order of the partitions."""
        import pyarrow

        keys = self._partitions.keys
        numbers = {name: self.schema.find_field(name).field_id for name in keys}
        pruned = prune(
            condition_of(where, self.schema),
            {numbers[name]: pyarrow.chunked_array([values]) for name, values in keys.items()},
            len(self._partitions),
        )
        wanted = [at for at, may in enumerate(pruned.may_pass) if may]
        chosen = pyarrow.array(wanted, pyarrow.int64())
        kept = {name: values.take(chosen) for name, values in keys.items()}
        plain = {name: plain_values(values) for name, values in kept.items()}
        shown = {name: values.to_pylist() for name, values in kept.items()}
        places = {at: place for place, at in enumerate(wanted)}
        formats: dict[FileFormat, int] = {}
        found: list[HiveFile] = []
        parts: list[FilePart] = []
        for at, format, files in self._partitions.files(wanted):
            place = places[at]
            known = tuple(
                (numbers[name], values[place])
                for name, values in plain.items()
                if values[place] is not None
            )
            partition = {name: values[place] for name, values in shown.items()}
            number = None
            if format.kind != "parquet":
                number = formats.setdefault(format, len(formats))
            for file in files:
                found.append(HiveFile(file.path, file.size_bytes, format.kind, partition))
                parts.append(
                    FilePart(
                        path=file.path,
                        rows=None,
                        size_bytes=file.size_bytes,
                        known=known,
                        all_pass=pruned.all_pass[at],
                        format=number,
                    )
                )
        return HivePlan(tuple(found), tuple(parts), tuple(formats), self._offsets)

    def _offsets(self, part: FilePart) -> Sequence[int]:
        """Return where row groups begin, for which the footer is read."""
        import pyarrow

        if part.format is not None:
            return ()
        try:
            with open_parquet(self.files.open(part.path), streaming=True) as file:
                groups = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
        except FileNotFoundError as error:
            raise self.files.missing(part.path) from error
        except (OSError, pyarrow.ArrowInvalid) as error:
            raise DataFileDamaged(
                part.path, table=self.name, reason=" ".join(str(error).split())
            ) from error
        firsts = [group.column(0) for group in groups if group.num_columns]
        return [one.dictionary_page_offset or one.data_page_offset for one in firsts]


def check_version(table: str, **version: object) -> None:
    """Refuse a version that is asked for: there is only what is there. Raises UnknownSnapshot."""
    from flowkit.table.errors import UnknownSnapshot

    for name, value in version.items():
        if value is not None:
            raise UnknownSnapshot(
                f"`{table}` is a Hive table, which has no versions: `{name}` cannot be given",
                hint="leave it away, and read what is there now",
            )
