"""Tags: which are allowed, and changing a run's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from flowkit.client.views import missing_run
from flowkit.client.workspace import Workspace
from flowkit.errors import KeyMissing, UsageError
from flowkit.values import RunId

MOST_TAGS = 50
LONGEST_TAG = 500


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return a user's tags for a run, each once and sorted.

    Raises UsageError if they are too many, or one is empty, too long or no text.
    """
    checked = tuple(sorted({_checked(tag) for tag in _listed(tags)}))
    if len(checked) > MOST_TAGS:
        raise UsageError(
            f"a run has at most {MOST_TAGS} tags of its user's, not {len(checked)}",
            hint="remove some with `flowkit tag remove`",
        )
    return checked


def change_tags(
    workspace: Workspace,
    run: RunId,
    *,
    add: Iterable[str],
    remove: Iterable[str],
    system_tags: Sequence[str],
) -> tuple[str, ...]:
    """Change a run's tags in the store, then in the index, and return them.

    What is to be removed and added at once is added. Raises UsageError.
    """
    added = {_checked(tag) for tag in _listed(add)} - set(system_tags)
    removed = {_checked(tag) for tag in _listed(remove)}
    if protected := sorted(removed & set(system_tags)):
        raise UsageError(
            f"`{protected[0]}` is a system tag, which stays as it is",
            hint="remove only tags that a user added",
        )
    return _commit(workspace, run, lambda tags: check_tags((tags - removed) | added))


def _commit(
    workspace: Workspace, run: RunId, change: Callable[[frozenset[str]], Iterable[str]]
) -> tuple[str, ...]:
    try:
        with workspace.metadata.changing(run):
            tags = workspace.store.change_tags(run, change)
            # Two processes may change the store in one order and come to the index in the other:
            # the store is read while nobody else writes to the index, so the last one brings the
            # newest.
            with workspace.metadata.batch():
                workspace.metadata.record_tags(run, workspace.store.tags(run))
    except KeyMissing as error:  # it was deleted meanwhile
        raise missing_run(workspace, run) from error
    return tags


def _listed(tags: Iterable[str]) -> Iterable[str]:
    if isinstance(tags, str):
        raise UsageError(f"`{tags}` is one tag, not several", hint=f"write `[{tags!r}]`")
    return tags


def _checked(tag: str) -> str:
    shown = repr(tag)[:60]
    if not isinstance(tag, str):
        raise UsageError(f"a tag is text, not `{shown}`", hint="write it as a string")
    if not tag:
        raise UsageError("a tag cannot be empty", hint="leave it out")
    if len(tag) > LONGEST_TAG:
        raise UsageError(
            f"the tag `{shown}…` has {len(tag)} characters, and at most {LONGEST_TAG} are allowed",
            hint="shorten it",
        )
    try:
        tag.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the tag `{shown}` cannot be written as UTF-8", hint="leave out half characters"
        ) from error
    return tag
