"""Making parts visible: one snapshot for all of them, once, however often it is tried.

pyiceberg retries commits itself, on metadata that it refreshed, without asking whether the same
commit has landed meanwhile from another process. So each attempt here is a transaction of its
own, on a table whose retries are switched off, and every attempt first looks for the commit's key
in the branch's history.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args

from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import Record

from flowkit.errors import UsageError
from flowkit.table.arguments import check_kind, check_name, check_names, check_texts
from flowkit.table.changes import Appending, Changes, Deleting, Plan, Replacing
from flowkit.table.deleting import columns_of, complement_of
from flowkit.table.errors import CommitConflict, PartRefused, UnknownRef
from flowkit.table.filters import parse_filter
from flowkit.table.history import FILES, KEY, ROWS, RUN, ancestors, described, head_of, notes_of
from flowkit.table.keys import CommitIdentity, count_commit, identify
from flowkit.table.loading import refresh_table
from flowkit.table.retrying import Attempts, uncertain_errors
from flowkit.table.rewriting import Rewriter
from flowkit.table.upserting import UpsertKeys
from flowkit.table.written import WrittenFile, WrittenFiles

Mode = Literal["append", "overwrite", "replace", "delete", "upsert"]
MODES: Final[tuple[str, ...]] = get_args(Mode)

_PARTITION_AT: Final = 3
"""The place of the partition among a `DataFile`'s values."""


def commit_files(
    table: Table,
    parts: Iterable[WrittenFiles],
    *,
    mode: Mode = "append",
    branch: str | None = None,
    key: str | None = None,
    properties: Mapping[str, str] | None = None,
    where: str | BooleanExpression | None = None,
    on: Sequence[str] = (),
) -> int:
    """Add written parts to a branch of a table in one atomic snapshot; return the snapshot's id.

    A commit whose key is in the branch's history has been made: its snapshot is returned. The
    same files are never appended twice. Both hold as long as the snapshot is kept: expiring it
    forgets them. Commits of others at the same time are waited out, and all land. Afterwards
    `table` has the present metadata.

    Args:
        table: the table; for `overwrite` and `replace`, as it was last loaded: what changed
            since is a conflict.
        parts: what writers left, or none, for a commit that adds no rows.
        mode: `append`; `overwrite` the partitions that the parts have rows in; `replace` all
            rows; `delete` the rows that match `where`, and add the parts; `upsert`: replace
            the rows that agree with a new one in the columns `on`, and add the others.
        branch: where to; by default where the parts were written for, or `main`.
        key: what the commit is known by; by default computed from the task.
        properties: more entries of the snapshot's summary.
        where: a filter, as text or expression.
        on: key columns.

    Raises:
        PartRefused: a part was written for another table, schema or partition spec.
        CommitConflict: somebody changed what would be replaced, or this run committed other rows.
        CommitFailed: the catalog failed, or the time for retries was used up.
        UnknownRef: there is no such branch.
        UnknownTable, TableReplaced: the table has been dropped meanwhile.
        UsageError: arguments that contradict one another.
    """
    listed = _listed(parts)
    target = branch or _branch_of(listed) or MAIN_BRANCH
    _check_arguments(mode, where=where, on=on)
    _check_notes(key, properties)
    commit = _Commit(
        table,
        listed,
        branch=target,
        key=key,
        properties=properties or {},
        is_append=mode == "append",
    )
    base = head_of(table.metadata, target)
    # The key comes first: of a commit that was made, parts may be gone, and bases outdated.
    if (landed := commit.find()) is not None:
        return landed
    commit.check()
    return commit.make(_plan(table, listed, mode=mode, where=where, on=on), base)


class _Commit:
    """One commit, tried until it lands or cannot."""

    def __init__(
        self,
        table: Table,
        parts: tuple[WrittenFiles, ...],
        *,
        branch: str,
        key: str | None,
        properties: Mapping[str, str],
        is_append: bool,
    ) -> None:
        self._table, self._parts, self._branch = table, parts, branch
        self._is_append = is_append
        self._name = ".".join(table.name())
        self._target = f"{table.metadata.table_uuid}@{branch}"
        self._identity: CommitIdentity = identify(key, parts, self._target)
        self._properties = {**properties, **self._identity.properties}

    def find(self) -> int | None:
        """Return the snapshot of this commit, if it was made; the table is refreshed."""
        refresh_table(self._table)
        files = self._identity.files if self._is_append else ""
        for snapshot in ancestors(self._table.metadata, self._head()):
            notes = notes_of(snapshot)
            if notes.get(KEY) == self._identity.key:
                self._check_same(snapshot, notes)
            elif not files or notes.get(FILES) != files:
                continue
            count_commit(self._identity, self._target)
            return snapshot.snapshot_id
        return None

    def check(self) -> None:
        """Check that the parts belong to the table, as it is now."""
        seen: set[str] = set()
        for part in self._parts:
            _check_part(self._table, part)
            for path in part.paths:
                if path in seen:
                    raise PartRefused(
                        self._name, f"file `{path}` is there twice", hint="pass each part once"
                    )
                seen.add(path)

    def make(self, plan: Plan, base: Snapshot | None) -> int:
        """Commit, on newer heads if need be, and return the snapshot's id."""
        attempts = Attempts(self._name, self._table.properties)
        try:
            for _ in attempts:
                if attempts.failure is not None:
                    if (landed := self.find()) is not None:
                        return landed
                    self.check()
                changes = plan.changes(self._table, self._head(), base)
                self._check_new(changes)
                try:
                    made = self._try(changes)
                except uncertain_errors() as error:
                    attempts.failed(error)
                    continue
                plan.committed(changes)
                count_commit(self._identity, self._target)
                refresh_table(self._table)
                return made
        except (CommitConflict, PartRefused):
            plan.abandoned()
            raise
        raise attempts.given_up()

    def _try(self, changes: Changes) -> int:
        table = _without_retries(self._table)
        with table.transaction() as transaction:
            update = transaction.update_snapshot(
                snapshot_properties=dict(self._properties), branch=self._branch
            )
            # pyiceberg's classes for it are private; their methods used here are not.
            snapshot: Any
            if changes.removed:
                snapshot = update.overwrite()
                _remove_files(snapshot, changes.removed)
            elif _merges_manifests(table):
                snapshot = update.merge_append()
            else:
                snapshot = update.fast_append()
            spec_id = table.spec().spec_id
            for part in self._parts:
                for written in part.files:
                    snapshot.append_data_file(_data_file(written, spec_id))
            for written in changes.rewritten:
                snapshot.append_data_file(_data_file(written, spec_id))
            snapshot.commit()
            return int(snapshot.snapshot_id)

    def _check_new(self, changes: Changes) -> None:
        added = {path for part in self._parts for path in part.paths}
        for file in changes.removed:
            if file.file_path in added:
                raise PartRefused(
                    self._name,
                    f"its file `{file.file_path}` is in the table already",
                    hint="write the rows again",
                )

    def _head(self) -> Snapshot | None:
        ref = self._table.metadata.refs.get(self._branch)
        if ref is None and self._branch != MAIN_BRANCH:
            raise UnknownRef(self._name, self._branch, known=tuple(self._table.metadata.refs))
        if ref is not None and ref.snapshot_ref_type is not SnapshotRefType.BRANCH:
            raise UsageError(
                f"`{self._branch}` is a tag of table `{self._name}`", hint="commit to a branch"
            )
        return head_of(self._table.metadata, self._branch)

    def _check_same(self, snapshot: Snapshot, notes: Mapping[str, str]) -> None:
        """Refuse to take an earlier run's commit for this one if it holds other rows.

        Attempts of one task are the same computation. A resumed run may have computed anew what
        this task was given, and then its rows would silently be missing.
        """
        ours = self._identity
        if not ours.is_given and notes.get(RUN) != ours.run and notes.get(ROWS) != ours.rows:
            raise CommitConflict(
                self._name,
                f"{described(snapshot)}, which this run resumes, committed other rows here",
                hint="roll the table back to before that snapshot, or pass a `key` of your own "
                "to commit these rows as well",
            )


def _plan(
    table: Table,
    parts: Sequence[WrittenFiles],
    *,
    mode: Mode,
    where: str | BooleanExpression | None,
    on: Sequence[str],
) -> Plan:
    if mode == "delete" and where is not None:
        parsed = parse_filter(where, table.schema(), table=".".join(table.name()))
        rewriter = Rewriter(table, complement_of(parsed, table), columns_of(parsed, table))
        return Deleting(parsed, rewriter, whole_files=True)
    if mode == "upsert":
        keys = UpsertKeys(table, parts, on)
        if not keys.count:
            return Appending()
        rewriter = Rewriter(table, keys.keep, keys.columns)
        return Deleting(keys.where, rewriter, whole_files=False)
    if mode == "append":
        return Appending()
    return Replacing(parts, partitions_only=mode == "overwrite")


def _check_arguments(
    mode: Mode, *, where: str | BooleanExpression | None, on: Sequence[str]
) -> None:
    if mode not in MODES:
        # It comes from callers that no type checker has seen, and `replace` is not what they meant.
        near = get_close_matches(str(mode).lower(), MODES, n=1)
        known = ", ".join(f"`{one}`" for one in MODES)
        raise UsageError(
            f"there is no mode `{mode}` of a commit",
            hint=f"did you mean `{near[0]}`?" if near else f"modes are {known}",
        )
    if (where is not None) != (mode == "delete"):
        raise UsageError("`where` goes with the mode `delete`", hint="pass both or neither")
    check_names("on", on)
    if bool(on) != (mode == "upsert"):
        raise UsageError("`on` goes with the mode `upsert`", hint="pass both or neither")


def _check_notes(key: str | None, properties: Mapping[str, str] | None) -> None:
    if key is not None:
        check_name("the key of a commit", key)
    check_texts("properties", properties or {})


def _listed(parts: Iterable[WrittenFiles]) -> tuple[WrittenFiles, ...]:
    hint = "pass what a writer left as its `result`, or a list of such"
    check_kind("parts", parts, Iterable, hint=hint)
    listed = tuple(parts)
    for part in listed:
        check_kind("a part", part, WrittenFiles, hint=hint)
    return listed


def _branch_of(parts: Sequence[WrittenFiles]) -> str | None:
    branches = {part.branch for part in parts}
    if len(branches) > 1:
        names = ", ".join(sorted(f"`{name or MAIN_BRANCH}`" for name in branches))
        raise UsageError(
            f"the parts were written for several branches: {names}", hint="pass `branch`"
        )
    return branches.pop() if branches else None


def _check_part(table: Table, part: WrittenFiles) -> None:
    name, metadata = ".".join(table.name()), table.metadata
    if part.table_uuid != str(metadata.table_uuid):
        raise PartRefused(
            name,
            f"it was written for table `{part.table}` ({part.table_uuid})",
            hint="commit it to that table; a table that was dropped and created again is another",
        )
    if part.spec_id != table.spec().spec_id:
        raise PartRefused(
            name,
            f"it was written with partition spec {part.spec_id}, and the table has "
            f"{table.spec().spec_id} now",
            hint="write the rows again",
        )
    schema = table.schemas().get(part.schema_id)
    if schema is None:
        raise PartRefused(
            name, f"it has schema {part.schema_id}, unknown here", hint="write the rows again"
        )
    for field in table.schema().fields:
        written = {one.field_id: one for one in schema.fields}.get(field.field_id)
        if field.required and (written is None or not written.required):
            raise PartRefused(
                name,
                f"column `{field.name}` has become required since it was written",
                hint="write the rows again",
            )


def _without_retries(table: Table) -> Table:
    """Return the table for one attempt: pyiceberg takes its number of retries from properties."""
    properties = {**table.properties, TableProperties.COMMIT_NUM_RETRIES: "0"}
    metadata = table.metadata.model_copy(update={"properties": properties})
    return Table(table.name(), metadata, table.metadata_location, table.io, table.catalog)


def _merges_manifests(table: Table) -> bool:
    return table.properties.get(TableProperties.MANIFEST_MERGE_ENABLED, "false").lower() == "true"


def _data_file(written: WrittenFile, spec_id: int) -> DataFile:
    def stats(name: str) -> dict[int, object]:
        found = {one.field_id: getattr(one, name) for one in written.columns}
        return {field_id: value for field_id, value in found.items() if value is not None}

    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=written.path,
        file_format=FileFormat.PARQUET,
        partition=Record(*written.partition),
        record_count=written.row_count,
        file_size_in_bytes=written.size_bytes,
        column_sizes=stats("size_bytes"),
        value_counts=stats("value_count"),
        null_value_counts=stats("null_count"),
        nan_value_counts=stats("nan_count"),
        lower_bounds=stats("lower"),
        upper_bounds=stats("upper"),
        split_offsets=list(written.split_offsets),
        sort_order_id=written.sort_order_id,
        equality_ids=None,
        key_metadata=None,
    )
    file.spec_id = spec_id
    return file


def _remove_files(snapshot: Any, removed: Sequence[DataFile]) -> None:
    """Have an overwrite remove files, those in partitions of NaN and infinity among them.

    pyiceberg looks for a file's manifest by a filter on its partition, and cannot make one of
    NaN, nor of an infinity of single precision. It tells files apart by path alone: so such a
    file is given with null in its place, and all manifests are looked through.
    """
    for file in removed:
        values = [file.partition[at] for at in range(len(file.partition))]
        if any(map(_is_not_finite, values)):
            snapshot.delete_by_predicate(AlwaysTrue())
            spec_id = file.spec_id
            file = DataFile(*(file[at] for at in range(len(file))))
            file[_PARTITION_AT] = Record(
                *(None if _is_not_finite(value) else value for value in values)
            )
            file.spec_id = spec_id
        snapshot.delete_data_file(file)


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
