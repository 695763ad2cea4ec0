"""Errors of tables that only they raise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowkit.errors import FlowkitError, StoreError, UsageError


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


class UnknownRef(UsageError):
    """A table has no branch, tag or snapshot of this name."""

    def __init__(self, table: str, ref: str, *, known: Sequence[str]) -> None:
        listed = ", ".join(f"`{name}`" for name in sorted(known)) or "none"
        super().__init__(
            f"table `{table}` has no branch, tag or snapshot `{ref}`",
            hint=f"its branches and tags are: {listed}",
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
