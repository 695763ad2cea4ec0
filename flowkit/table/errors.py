"""What can go wrong with tables: with names and schemas, catalogs, files and commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from flowkit.errors import FlowkitError, NotFound, StoreError, UsageError


class CatalogError(StoreError):
    """A catalog cannot be reached or does not answer as it should."""


class UnknownCatalog(UsageError):
    """No catalog of this name is set up."""

    def __init__(self, name: str, *, known: Iterable[str]) -> None:
        super().__init__(
            f"no catalog named `{name}` is set up",
            hint=_near(name, known, "add a table `[catalogs.{name}]` to `flowkit.toml`"),
        )
        self.name = name


class CatalogInvalid(UsageError):
    """The properties of a catalog do not fit together."""

    def __init__(self, name: str, *, reason: str, hint: str) -> None:
        super().__init__(f"catalog `{name}` cannot be opened: {reason}", hint=hint)


class UnknownTable(NotFound):
    """The catalog has no such table."""

    def __init__(self, name: str, *, catalog: str, known: Iterable[str]) -> None:
        super().__init__(
            f"catalog `{catalog}` has no table `{name}`",
            hint=_near(name, known, f"make it with `Table.create({name!r}, schema)`"),
        )
        self.name = name


class TableReplaced(UsageError):
    """A table that is open has been dropped, and another one of its name made, since."""

    def __init__(self, name: str, *, catalog: str) -> None:
        super().__init__(
            f"table `{name}` of catalog `{catalog}` is another one than was opened: that one has "
            "been dropped",
            hint=f"open the new one with `Table({name!r})`, and write the rows again",
        )
        self.name = name


class TableExists(UsageError):
    """A table of this name is there already."""

    def __init__(self, name: str, *, catalog: str) -> None:
        super().__init__(
            f"catalog `{catalog}` already has a table `{name}`",
            hint=f"open it with `Table({name!r})`",
        )


class UnknownColumn(UsageError):
    """A name that was given is no column of the table."""

    def __init__(self, column: str, *, table: str, known: Sequence[str]) -> None:
        listed = ", ".join(f"`{name}`" for name in known[:20])
        super().__init__(
            f"table `{table}` has no column `{column}`",
            hint=_near(column, known, f"its columns are: {listed}"),
        )
        self.column = column


class FilterInvalid(UsageError):
    """A filter cannot be understood, or compares a column with what it cannot be."""

    def __init__(self, where: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(
            f"filter `{where}` is not valid: {reason}",
            hint=hint or "write it as in SQL: \"year = 2013 and carrier in ('AA', 'UA')\"",
        )


class SchemaInvalid(UsageError):
    """A schema, a partitioning or a change of either is not possible."""


class UnknownSnapshot(UsageError):
    """The table has no snapshot, branch or tag like this; it may have been expired."""


class UnsupportedTable(UsageError):
    """The table uses a feature of the format that flowkit does not read."""

    def __init__(self, table: str, *, feature: str, hint: str) -> None:
        super().__init__(f"table `{table}` cannot be read: {feature}", hint=hint)


class ReadOnlyTable(UsageError):
    """What was asked for takes an Iceberg table, and this one is Hive's."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"`{table}` is a Hive table, which flowkit only reads: it has no versions",
            hint="copy it into an Iceberg table: `Table.create(name, frame).append(frame)`, where "
            "`frame = table.scan().to_frame()`",
        )
        self.table = table


class PartitionsInvalid(UsageError):
    """The folders of a Hive table do not fit together, or a value is not of its key's type."""


class DataFileMissing(StoreError):
    """A file that a snapshot names, or that was there when the table was listed, is not."""

    def __init__(self, path: str, *, table: str, snapshot: int | None) -> None:
        version = "" if snapshot is None else f", snapshot {snapshot},"
        super().__init__(
            f"file `{path}` of table `{table}`{version} is missing",
            hint="it has been replaced since: scan the table again"
            if snapshot is None
            else "somebody removed it by hand: restore it, or roll the table back",
        )
        self.path = path


class SnapshotExpired(StoreError):
    """A shard is of a snapshot that has been expired since, with its files."""

    def __init__(self, *, table: str, snapshot: int | None) -> None:
        super().__init__(
            f"snapshot {snapshot} of table `{table}` has been expired, and its files with it",
            hint="plan the scan again, and keep snapshots for as long as shards of them are in use",
        )
        self.snapshot = snapshot


class DataFileDamaged(StoreError):
    """A file of a table cannot be decoded."""

    def __init__(self, path: str, *, table: str, reason: str) -> None:
        super().__init__(
            f"file `{path}` of table `{table}` cannot be read: {reason}",
            hint="restore the file, or delete its rows by overwriting its partition",
        )
        self.path = path


class DataFileUnwritten(StoreError):
    """A file of a table cannot be written: no room, no permission, or no answer from its store."""

    def __init__(self, path: str, *, reason: str) -> None:
        super().__init__(
            f"file `{path}` cannot be written: {reason}",
            hint="nothing of it has been committed: mend that, and write the rows again",
        )
        self.path = path


class ManifestDamaged(StoreError):
    """A file that lists a table's files cannot be decoded."""

    def __init__(self, path: str, *, table: str, reason: str) -> None:
        super().__init__(
            f"manifest `{path}` of table `{table}` cannot be read: {reason}",
            hint="restore the file, or roll the table back to a snapshot that is older",
        )
        self.path = path


class DataFileUnlike(StoreError):
    """A file's columns cannot be read as what the table says they are."""

    def __init__(self, path: str, *, table: str, reason: str) -> None:
        super().__init__(
            f"file `{path}` of table `{table}` does not fit the table: {reason}",
            hint="whoever wrote the file broke the table's schema: write its rows again",
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class Misfit:
    """A column that does not fit: what the table expects there, and what was found."""

    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"column `{self.column}`: expected {self.expected}, found {self.found}"


class SchemaMismatch(UsageError):
    """Data cannot be written to a table, because some columns do not fit its schema."""

    def __init__(self, table: str, misfits: Sequence[Misfit]) -> None:
        super().__init__(
            f"the data does not fit table `{table}`: " + "; ".join(map(str, misfits)),
            hint="cast, rename or drop these columns, or change the table's schema first",
        )
        self.table = table
        self.misfits = tuple(misfits)


class PartRefused(UsageError):
    """A written part cannot be committed to a table: it was written for something else."""

    def __init__(self, table: str, reason: str, *, hint: str) -> None:
        super().__init__(f"a part cannot be committed to table `{table}`: {reason}", hint=hint)
        self.table = table
        self.reason = reason


class CommitConflict(FlowkitError):
    """Somebody else's commit contradicts this one, so it cannot simply be tried again."""

    def __init__(self, table: str, reason: str, *, hint: str) -> None:
        super().__init__(f"the commit to table `{table}` was not made: {reason}", hint=hint)
        self.table = table
        self.reason = reason


class CommitFailed(StoreError):
    """A commit did not go through: the catalog failed, or others were always quicker."""

    retryable = True

    def __init__(self, table: str, reason: str) -> None:
        super().__init__(
            f"the commit to table `{table}` did not go through: {reason}",
            hint="commit the same parts again: what has landed is not added twice",
        )
        self.table = table
        self.reason = reason


class UnknownRef(UnknownSnapshot):
    """A table has no branch, tag or snapshot of this name."""

    def __init__(
        self, table: str, ref: str, *, known: Sequence[str], found: str | None = None
    ) -> None:
        """Take the names there are; or what there is of this name, a branch or a tag."""
        listed = ", ".join(f"`{name}`" for name in sorted(known)) or "none"
        super().__init__(
            f"`{ref}` is a {found} of table `{table}`, and something else is meant"
            if found
            else f"table `{table}` has no branch, tag or snapshot `{ref}`",
            hint="`table.branches()` says which are branches and which tags"
            if found
            else _near(ref, known, f"its branches and tags are: {listed}"),
        )
        self.table = table
        self.ref = ref


class NotAncestor(UsageError):
    """A branch cannot be published: the other one has gone on since it was created."""

    def __init__(self, table: str, branch: str, *, onto: str) -> None:
        super().__init__(
            f"branch `{branch}` of table `{table}` does not contain all of `{onto}`, "
            "which has moved on since",
            hint=f"create a branch from `{onto}` again, write there, and publish that",
        )
        self.table = table
        self.branch = branch


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    near = get_close_matches(str(name), list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise.replace("{name}", str(name))
