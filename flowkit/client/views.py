"""What all views share: a place in the tree of flows, runs, steps, tasks and artifacts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.client.workspace import Workspace
from flowkit.errors import NotFound, UsageError
from flowkit.values import RunId

if TYPE_CHECKING:
    from flowkit.client.run import Run


class View:
    """Something that a pathspec names. Views of the same thing are equal."""

    shape: ClassVar[str]
    """What the pathspec looks like, such as `Flow/run`."""

    def __init__(self, pathspec: str, workspace: Workspace) -> None:
        self._pathspec = pathspec
        self._workspace = workspace

    @property
    def pathspec(self) -> str:
        """The full name, such as `Train/12/fit/3`."""
        return self._pathspec

    @property
    def workspace(self) -> Workspace:
        """Where the view looks things up."""
        return self._workspace

    @property
    def path_components(self) -> list[str]:
        """The names that the pathspec is made of."""
        return self._pathspec.split("/")

    @property
    def id(self) -> str:
        """The last name of the pathspec."""
        return self._pathspec.rpartition("/")[2]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pathspec!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Only the name travels: the process that unpickles looks it up where its own runs are,
        # and whoever was handed a view may see it, whatever the namespace there.
        return restore, (type(self), self._pathspec)

    def _identity(self) -> tuple[object, ...]:
        return (type(self), self._pathspec)


class RunPart(View):
    """A step, task or artifact: it has the tags of its run."""

    def __init__(self, pathspec: str, run: Run) -> None:
        super().__init__(pathspec, run.workspace)
        self._run = run

    @property
    def run(self) -> Run:
        """The run that it is part of."""
        return self._run

    @property
    def tags(self) -> frozenset[str]:
        """All tags of the run."""
        return self._run.tags

    @property
    def user_tags(self) -> frozenset[str]:
        """The tags that users gave the run."""
        return self._run.user_tags

    @property
    def system_tags(self) -> frozenset[str]:
        """The tags that flowkit gave the run."""
        return self._run.system_tags


def restore(kind: Any, pathspec: str, *more: object) -> View:
    """Make a view again that was pickled."""
    view: View = kind(pathspec, *more, check_namespace=False)
    return view


def split_pathspec(kind: type[View], pathspec: object) -> list[str]:
    """Return the names in a pathspec. Raises UsageError if it is none of a `kind`."""
    names = pathspec.split("/") if isinstance(pathspec, str) else []
    if len(names) != kind.shape.count("/") + 1 or not all(names):
        raise UsageError(
            f"`{pathspec}` does not name a {kind.__name__.lower()}",
            hint=f"write it as `{kind.shape}`",
        )
    return names


def missing_flow(workspace: Workspace, name: str) -> NotFound:
    """Return the error for a flow that has no runs."""
    known = [row.name for row in workspace.metadata.flows()]
    hint = _nearest(name, known) or "run it first, or name another store: `FLOWKIT_STORE`"
    return NotFound(f"flow `{name}` has no runs here", hint=hint)


def missing_run(workspace: Workspace, run: RunId) -> NotFound:
    """Return the error for a run that is not there."""
    newest = workspace.metadata.latest_run(run.flow)
    if newest is None:
        return missing_flow(workspace, run.flow)
    hint = f"the newest run of `{run.flow}` is `{newest.run}`"
    return NotFound(f"run `{run}` does not exist", hint=hint)


def missing_step(run: str, step: str, known: Iterable[str]) -> NotFound:
    """Return the error for a step without tasks, be it unknown or not reached yet."""
    hint = _nearest(step, known) or "wait for its first task"
    return NotFound(f"step `{run}/{step}` has no tasks", hint=hint)


def not_found(what: str, name: str, known: Iterable[str]) -> NotFound:
    """Return the error for `what`, whose last name is `name`; `known` are the names there are."""
    hint = _nearest(name, known) or "there is none yet"
    return NotFound(f"{what} does not exist", hint=hint)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    shown = ", ".join(f"`{one}`" for one in names[:10])
    return f"there are: {shown}{', …' if len(names) > 10 else ''}" if names else None
