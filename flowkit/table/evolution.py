"""Changing the columns and the partitioning of a table, without touching its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flowkit.table.arguments import check_kind, check_names
from flowkit.table.errors import CommitConflict, SchemaInvalid, UnknownColumn
from flowkit.table.schemas import Term, parse_term, schema_of

if TYPE_CHECKING:
    from pyiceberg.types import IcebergType

    from flowkit.table.table import Table


class Evolution:
    """Changes that become one new version of a table's schema when their `with` block ends.

    Files that are there already stay as they are: rows in them have null in new columns.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._transaction = table.iceberg.transaction()
        self._schema = self._transaction.update_schema()
        self._spec: list[str] | None = None

    def __enter__(self) -> Evolution:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._commit()

    def add_column(
        self, name: str, type: object, *, doc: str | None = None, before: str | None = None
    ) -> Evolution:
        """Add a column that may be null: `a.b` adds `b` to the struct `a`.

        Args:
            name: what it is called.
            type: a pyarrow type, a type of pyiceberg, or its name in the format, such as `long`,
                `string`, `timestamp` or `decimal(9, 2)`.
            doc: what it means.
            before: the column that it stands before; at the end if left out.
        """
        path = _path(name)
        with _explained(self._table.name):
            self._schema.add_column(path, iceberg_type(type, column=name), doc=doc)
            if before is not None:
                self._check(before)
                self._schema.move_before(path, tuple(before.split(".")))
        return self

    def rename_column(self, name: str, to: str) -> Evolution:
        """Call a column something else; one inside a struct stays there: `a.b` becomes `a.c`.

        Args:
            name: what it is called, `a.b` inside a struct.
            to: its own new name, `c`.
        """
        self._check(name)
        if len(_path(to)) > 1:
            raise SchemaInvalid(
                f"`{name}` cannot be called `{to}`: a dot leads into a struct",
                hint=f"give the last part alone: `{to.rpartition('.')[2]}`",
            )
        with _explained(self._table.name):
            self._schema.rename_column(tuple(name.split(".")), to)
        return self

    def drop_column(self, name: str) -> Evolution:
        """Remove a column from the table; a new one of its name would be another one."""
        self._check(name)
        with _explained(self._table.name):
            self._schema.delete_column(tuple(name.split(".")))
        return self

    def widen_column(self, name: str, type: object) -> Evolution:
        """Let a column hold more: `int` to `long`, `float` to `double`, more decimal digits."""
        self._check(name)
        with _explained(self._table.name):
            self._schema.update_column(tuple(name.split(".")), iceberg_type(type, column=name))
        return self

    def move_column(self, name: str, *, before: str | None = None) -> Evolution:
        """Put a column before another one, or first."""
        self._check(name)
        path = tuple(name.split("."))
        with _explained(self._table.name):
            if before is None:
                self._schema.move_first(path)
            else:
                self._check(before)
                self._schema.move_before(path, tuple(before.split(".")))
        return self

    def set_partition(self, partition: Sequence[str]) -> Evolution:
        """Partition what is written from now on like this, as `Table.create` takes it."""
        check_names("partition", partition)
        self._spec = list(partition)
        return self

    def _check(self, name: str) -> None:
        known = self._table.iceberg.schema().column_names
        if name not in known:
            raise UnknownColumn(name, table=self._table.name, known=known)

    def _commit(self) -> None:
        from pyiceberg.exceptions import CommitFailedException

        from flowkit.table.catalogs import answering
        from flowkit.table.loading import existing

        name, catalog = self._table.name, self._table.iceberg.catalog
        try:
            with _explained(name), existing(catalog, name), answering(catalog):
                self._schema.commit()
                if self._spec is not None:
                    self._repartition(self._spec)
                self._transaction.commit_transaction()
        except CommitFailedException as error:
            # The table may be gone, which this says better.
            self._table.refresh()
            raise CommitConflict(
                name,
                "somebody has changed its columns or partitions since it was last refreshed",
                hint="look at the table, which is refreshed now, and change it again",
            ) from error
        self._table.refresh()

    def _repartition(self, partition: Sequence[str]) -> None:
        metadata = self._transaction.table_metadata
        schema = metadata.schema()
        wanted = [parse_term(text) for text in partition]
        for term in wanted:
            if term.column not in schema.column_names:
                raise UnknownColumn(term.column, table=self._table.name, known=schema.column_names)
        there = {
            (schema.find_column_name(field.source_id), str(field.transform)): field.name
            for field in metadata.spec().fields
            if str(field.transform) != "void"
        }
        with self._transaction.update_spec() as update:
            for key, name in there.items():
                if key not in map(_key, wanted):
                    update.remove_field(name)
            for term in wanted:
                if _key(term) not in there:
                    update.add_field(term.column, term.transform, term.name)


def _path(name: str) -> tuple[str, ...]:
    """Return the names that lead to a column. Raises SchemaInvalid, UsageError."""
    check_kind("a column", name, str, hint="give its name")
    path = tuple(name.split("."))
    if not all(part.strip() for part in path):
        raise SchemaInvalid(
            f"`{name}` is no name of a column", hint="give a name, and `a.b` inside a struct"
        )
    return path


def iceberg_type(type_: Any, *, column: str = "it") -> IcebergType:
    """Return a type of the format, given as pyarrow's, pyiceberg's or by name.

    Args:
        type_: the type.
        column: what has it, for errors.

    Raises:
        SchemaInvalid: there is no such type.
    """
    import pyarrow
    from pydantic import TypeAdapter, ValidationError
    from pyiceberg.types import IcebergType

    if isinstance(type_, IcebergType):
        return type_
    if isinstance(type_, pyarrow.DataType):
        return schema_of(pyarrow.schema([pyarrow.field(column, type_)])).fields[0].field_type
    try:
        return TypeAdapter(IcebergType).validate_python(type_)
    except (ValidationError, ValueError) as error:
        raise SchemaInvalid(
            f"`{type_}` is no type of a column",
            hint="write `long`, `double`, `string`, `date`, `timestamp`, `decimal(9, 2)`, or "
            "give a pyarrow type",
        ) from error


def _key(term: Term) -> tuple[str | None, str]:
    return term.column, str(term.transform)


@contextmanager
def _explained(table: str) -> Iterator[None]:
    """Say of which table a change is refused."""
    from pyiceberg.exceptions import ResolveError, ValidationError

    try:
        yield
    except (ResolveError, ValidationError, ValueError) as error:
        raise SchemaInvalid(
            f"table `{table}` cannot be changed so: {error}",
            hint="columns may be added, renamed, dropped, moved and widened",
        ) from error
