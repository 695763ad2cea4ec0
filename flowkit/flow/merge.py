"""Merging the artifacts of a join's inputs by identity; no artifact is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from flowkit.errors import FlowkitError
from flowkit.values import ArtifactEntry


class MergeFailed(FlowkitError):
    """`merge_artifacts` cannot do what was asked; nothing was merged."""


class UnhandledInMergeArtifactsException(MergeFailed):
    """Inputs disagree about artifacts that the join has not set. `artifact_names` lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"the inputs disagree about {_listed(names)}",
            hint="set each of them before merge_artifacts, or leave it out with `exclude=[...]`",
        )
        self.artifact_names = list(names)


class MissingInMergeArtifactsException(MergeFailed):
    """`include` names artifacts that no input has. `artifact_names` lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"no input has {_listed(names)}",
            hint="take it out of `include=[...]`, or set it in the steps before the join",
        )
        self.artifact_names = list(names)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def merged(
    inputs: Iterable[Mapping[str, ArtifactEntry]],
    *,
    settled: Collection[str],
    include: Collection[str],
    exclude: Collection[str],
) -> dict[str, ArtifactEntry]:
    """Return the entries that all inputs which have them agree on.

    `settled` are names that the join has set itself, or that never change. With `include` only
    those names are looked at.

    Raises:
        MergeFailed: both `include` and `exclude` are given.
        UnhandledInMergeArtifactsException: inputs differ in a name that is not settled.
        MissingInMergeArtifactsException: a name of `include` is in no input.
    """
    if include and exclude:
        raise MergeFailed(
            "`include` and `exclude` were both given", hint="give merge_artifacts one of the two"
        )
    found: dict[str, ArtifactEntry] = {}
    unhandled: dict[str, None] = {}
    for artifacts in inputs:
        for name, entry in artifacts.items():
            if name in settled or name in exclude or (include and name not in include):
                continue
            if found.setdefault(name, entry).digest != entry.digest:
                unhandled[name] = None
    if unhandled:
        raise UnhandledInMergeArtifactsException(sorted(unhandled))
    if missing := [name for name in include if name not in found and name not in settled]:
        raise MissingInMergeArtifactsException(missing)
    return found
