"""Where a run belongs: its branch of a project, and the runs that are said to have started it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowkit.client import Workspace, missing_run
from flowkit.errors import UsageError
from flowkit.graph import BRANCH_NAMES, FlowDescription, Project, is_branch_name
from flowkit.records import RunRecord
from flowkit.runner.options import RunOptions
from flowkit.values import ProjectBranch, RunId


@dataclass(frozen=True, slots=True)
class Belonging:
    """Where a run belongs, and the runs whose end is said to have started it."""

    project: ProjectBranch | None
    triggers: tuple[RunId, ...]


def belonging_of(
    workspace: Workspace,
    description: FlowDescription,
    options: RunOptions,
    *,
    user: str,
    origin: RunRecord | None = None,
) -> Belonging:
    """Say where a run of the flow belongs.

    One that resumes `origin` stays where that was, in what the options do not say.

    Raises what `branch_of` and `runs_that_trigger` raise.
    """
    branch, production = options.branch, options.production
    project = branch_of(description, branch=branch, production=production, user=user)
    triggers = runs_that_trigger(workspace, description, options.triggers)
    if origin is None:
        return Belonging(project, triggers)
    if project is not None and branch is None and not production:
        project = origin.project or project
    return Belonging(project, triggers or origin.triggers)


def branch_of(
    description: FlowDescription, *, branch: str | None, production: bool, user: str
) -> ProjectBranch | None:
    """Return the branch that a run of the flow is in; None if the flow has no project.

    `branch` and `production` are what the caller asks for. What `@project` says already cannot be
    asked for once more.

    Raises:
        UsageError: the flow has no project, the branch has no name, or both say something.
    """
    project = description.policies.project
    if project is None:
        if branch is not None or production:
            raise UsageError(
                f"flow `{description.name}` is in no project, so it has no branches",
                hint='put `@project(name="...")` above its class',
            )
        return None
    _check_free(project, branch=branch, production=production)
    if branch is not None and not is_branch_name(branch):
        raise UsageError(f"`{branch}` is no name for a branch", hint=BRANCH_NAMES)
    name, is_production = branch or project.branch, production or project.production
    if is_production:
        return ProjectBranch(project.name, f"prod.{name}" if name else "prod")
    return ProjectBranch(project.name, f"test.{name}" if name else f"user.{user}")


def _check_free(project: Project, *, branch: str | None, production: bool) -> None:
    if branch is not None and project.branch is not None:
        raise UsageError(
            f"`@project` says that the branch is `{project.branch}`",
            hint=f"leave `--branch {branch}` away, or `branch=` in `@project`",
        )
    if production and project.production:
        raise UsageError(
            "`@project` says already that this is production",
            hint="leave `--production` away, or `production=` in `@project`",
        )


def runs_that_trigger(
    workspace: Workspace, description: FlowDescription, pathspecs: Sequence[str]
) -> tuple[RunId, ...]:
    """Return the runs that the caller says have started this one.

    Raises:
        UsageError: the flow does not start when that flow ends.
        NotFound: there is no such run.
    """
    if not pathspecs:
        return ()
    trigger = description.policies.trigger_on_finish
    if trigger is None:
        raise UsageError(
            f"flow `{description.name}` does not start when another one ends",
            hint='put `@trigger_on_finish(flow="...")` above its class',
        )
    awaited = {one.flow.rpartition(".")[2] for one in trigger.flows}
    runs = []
    for text in pathspecs:
        flow, slash, number = text.partition("/")
        if not slash or not number or "/" in number:
            raise UsageError(f"`{text}` is no run", hint="name it as in `--trigger Prepare/12`")
        if flow not in awaited:
            names = ", ".join(f"`{one}`" for one in sorted(awaited))
            raise UsageError(
                f"flow `{description.name}` does not start when `{flow}` ends",
                hint=f"`@trigger_on_finish` names {names}",
            )
        run = RunId(flow, number)
        if workspace.metadata.run(run) is None:
            raise missing_run(workspace, run)
        runs.append(run)
    return tuple(runs)
