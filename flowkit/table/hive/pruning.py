"""Which partitions a filter leaves, asked of all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowkit.table.conditions import Condition, fields_of, mask_of

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True, slots=True)
class Pruned:
    """Of each partition: whether rows of it may pass, and whether all of them do."""

    may_pass: list[bool]
    all_pass: list[bool]


def prune(
    condition: Condition | None, keys: Mapping[int, pyarrow.ChunkedArray], partitions: int
) -> Pruned:
    """Ask a filter about partitions.

    Args:
        condition: the filter.
        keys: values of the keys, one for each partition, by the numbers of fields.
        partitions: how many there are.
    """
    if condition is None:
        return Pruned([True] * partitions, [True] * partitions)

    def asked(unknown: bool) -> list[bool]:
        decided = _decided(condition, frozenset(keys), unknown)
        passed = mask_of(decided, partitions, lambda number: keys[number])
        return [bool(one) for one in passed.to_pylist()]

    return Pruned(asked(True), asked(False))


def _decided(condition: Condition, known: frozenset[int], unknown: bool) -> Condition:
    """Replace what is about other columns than the keys by what it is taken to be.

    Without `not`, a filter passes the more the more of its parts are taken to be true. So it is
    left out of partitions only if it fails where all that is not known is true.
    """
    kind = condition[0]
    if kind in ("and", "or"):
        return (kind, *(_decided(one, known, unknown) for one in condition[1:]))
    if fields_of(condition) <= known:
        return condition
    return ("true",) if unknown else ("false",)
