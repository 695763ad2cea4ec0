"""Branches and tags of a table, and publishing a branch once it has been audited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.update.snapshot import ManageSnapshots

from flowkit.errors import UsageError
from flowkit.table.arguments import check_name
from flowkit.table.errors import NotAncestor, UnknownRef
from flowkit.table.history import ancestors, head_of
from flowkit.table.loading import refresh_table
from flowkit.table.retrying import Attempts, uncertain_errors


@dataclass(frozen=True, slots=True)
class RefRow:
    """A branch or tag of a table, and the snapshot it points to."""

    name: str
    kind: Literal["branch", "tag"]
    snapshot_id: int


def refs(table: Table) -> list[RefRow]:
    """Return a table's branches and tags by name."""
    return [
        RefRow(
            name=name,
            kind="tag" if ref.snapshot_ref_type is SnapshotRefType.TAG else "branch",
            snapshot_id=ref.snapshot_id,
        )
        for name, ref in sorted(table.metadata.refs.items())
    ]


def create_branch(table: Table, name: str, *, at: int | str | None = None) -> int:
    """Create a branch, and return the snapshot it starts from.

    Args:
        table: the table; afterwards it has the present metadata.
        name: the branch's name.
        at: a snapshot's id, or a branch or tag; the present state of `main` if None.

    Raises:
        UsageError: the name is taken or blank, or the table has no snapshot yet.
        UnknownRef: there is no `at`.
        CommitFailed: the catalog failed.
    """
    return _create(table, name, at, create=ManageSnapshots.create_branch)


def create_tag(table: Table, name: str, *, at: int | str | None = None) -> int:
    """Create a tag, and return its snapshot. Arguments and errors are those of `create_branch`."""
    return _create(table, name, at, create=ManageSnapshots.create_tag)


def delete_branch(table: Table, name: str) -> None:
    """Delete a branch; its snapshots stay until they expire.

    Raises:
        UnknownRef: there is no such branch.
        UsageError: it is `main`.
        CommitFailed: the catalog failed.
    """
    if name == MAIN_BRANCH:
        raise UsageError("`main` cannot be deleted", hint="drop the table instead")
    _delete(table, name, SnapshotRefType.BRANCH)


def delete_tag(table: Table, name: str) -> None:
    """Delete a tag. Raises UnknownRef, CommitFailed."""
    _delete(table, name, SnapshotRefType.TAG)


def publish(table: Table, branch: str) -> int:
    """Make the state of a branch that of `main`, and return its snapshot.

    `main` is moved forward and nothing is copied, so the branch must contain all of it. Doing it
    again changes nothing. The branch stays.

    Raises:
        UnknownRef: there is no such branch.
        NotAncestor: `main` has gone on since the branch was created.
        CommitFailed: the catalog failed.
    """

    def forward(change: ManageSnapshots) -> int:
        head_id = _ref(table, branch, SnapshotRefType.BRANCH)
        metadata = table.metadata
        main = head_of(metadata, MAIN_BRANCH)
        line = {one.snapshot_id for one in ancestors(metadata, head_of(metadata, branch))}
        if main is not None and main.snapshot_id not in line:
            raise NotAncestor(_name(table), branch, onto=MAIN_BRANCH)
        if main is None or main.snapshot_id != head_id:
            change.set_current_snapshot(ref_name=branch)
        return head_id

    return _change(table, forward)


def _create(
    table: Table,
    name: str,
    at: int | str | None,
    *,
    create: Callable[[ManageSnapshots, int, str], object],
) -> int:
    check_name("the branch or tag", name)

    def add(change: ManageSnapshots) -> int:
        # Moving a ref is the same request to the catalog as creating it.
        if name in table.metadata.refs or name == MAIN_BRANCH:
            raise UsageError(
                f"table `{_name(table)}` has a branch or tag `{name}`",
                hint="choose another name, or delete that one",
            )
        found = _snapshot_at(table, at)
        create(change, found, name)
        return found

    return _change(table, add)


def _delete(table: Table, name: str, kind: SnapshotRefType) -> None:
    def remove(change: ManageSnapshots) -> int:
        at = _ref(table, name, kind)
        if kind is SnapshotRefType.TAG:
            change.remove_tag(name)
        else:
            change.remove_branch(name)
        return at

    _change(table, remove)


def _change(table: Table, decide: Callable[[ManageSnapshots], int]) -> int:
    """Change refs as decided on the present metadata, again if others were quicker."""
    attempts = Attempts(_name(table), table.properties)
    for _ in attempts:
        refresh_table(table)
        try:
            with table.manage_snapshots() as change:
                return decide(change)
        except uncertain_errors() as error:
            attempts.failed(error)
    raise attempts.given_up()


def _snapshot_at(table: Table, at: int | str | None) -> int:
    if at is None and head_of(table.metadata, MAIN_BRANCH) is None:
        raise UsageError(
            f"table `{_name(table)}` has no snapshot yet", hint="commit something to `main` first"
        )
    known = table.metadata.refs
    if isinstance(at, int):
        if any(one.snapshot_id == at for one in table.metadata.snapshots):
            return at
    elif (at or MAIN_BRANCH) in known:
        return known[at or MAIN_BRANCH].snapshot_id
    raise UnknownRef(_name(table), str(at), known=tuple(known))


def _ref(table: Table, name: str, kind: SnapshotRefType) -> int:
    ref = table.metadata.refs.get(name)
    if ref is not None and ref.snapshot_ref_type is not kind:
        raise UnknownRef(_name(table), name, known=(), found=ref.snapshot_ref_type.value)
    if ref is None:
        raise UnknownRef(_name(table), name, known=tuple(table.metadata.refs))
    return ref.snapshot_id


def _name(table: Table) -> str:
    return ".".join(table.name())
