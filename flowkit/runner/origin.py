"""The run that another one resumes: which it is, and what of it can be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowkit.client import Workspace, missing_run
from flowkit.errors import FlowkitError, KeyMissing, NotFound, UsageError
from flowkit.graph import FlowDescription, Graph
from flowkit.metadata import RunRow
from flowkit.plan import ResumePlan, reusable, whole_gangs
from flowkit.records import Clone, RunRecord
from flowkit.store import reindex_run
from flowkit.values import Digest, RunId, TaskKey


def find_origin(workspace: Workspace, flow: str, run_id: str | None, *, user: str) -> RunRecord:
    """Return the run to resume: the one named, or the user's latest one of the flow.

    Raises:
        NotFound: there is no such run.
        UsageError: it is still running.
    """
    run = _named_or_latest(workspace, flow, run_id, user=user, purpose="to resume")
    row = _reconciled(workspace, run)
    if row.status == "running":
        raise UsageError(
            f"run `{run}` is still running",
            hint=f"stop it first (process {row.pid} on {row.host}), or wait until it ends",
        )
    return _record(workspace, run)


def find_spun(workspace: Workspace, flow: str, run_id: str | None, *, user: str) -> RunRecord:
    """Return the run whose step is spun: the one named, or the user's latest one of the flow.

    It may be running still.

    Raises:
        NotFound: there is no such run.
        UsageError: it is a run of another flow.
    """
    if run_id is not None and "/" in run_id and not run_id.startswith(f"{flow}/"):
        raise UsageError(
            f"`{run_id}` is no run of `{flow}`", hint=f"name one as `{flow}/12`, or `12` alone"
        )
    purpose = "whose step could be spun"
    run = _named_or_latest(workspace, flow, run_id, user=user, purpose=purpose)
    return _record(workspace, _reconciled(workspace, run).run)


def find_source(workspace: Workspace, record: RunRecord) -> RunRecord:
    """Return the run that has the tasks to clone where `record` is resumed.

    It is the same, unless that resumed another and was killed before it had cloned anything. Of
    one with other parameters there is nothing to clone.
    """
    store = workspace.store
    while record.origin is not None:
        run = record.run
        if store.has_clones(run) or next(store.results(run), None) is not None:
            break
        try:
            earlier = store.run_record(record.origin)
        except KeyMissing:  # deleted meanwhile
            break
        if not _have_same_parameters(workspace, record, earlier):
            break
        record = earlier
    return record


def _have_same_parameters(workspace: Workspace, one: RunRecord, other: RunRecord) -> bool:
    if one.parameters == other.parameters:
        return True
    values = [workspace.store.manifest(each.parameters).artifacts for each in (one, other)]
    names = [parameter.attribute for parameter in one.description.parameters]
    digests = [[found[name].digest for name in names if name in found] for found in values]
    return digests[0] == digests[1]


@contextmanager
def explained_if_deleted(workspace: Workspace, run: RunId) -> Iterator[None]:
    """Say that a run was deleted if the block fails and that is so, whatever it failed at."""
    try:
        yield
    except FlowkitError as error:
        if not workspace.store.is_deleted(run):
            raise
        raise deleted_meanwhile(run) from error


def deleted_meanwhile(run: RunId) -> NotFound:
    """Return the error for a run that was deleted while another one took over from it."""
    return NotFound(
        f"run `{run}` was deleted while it was being resumed",
        hint="start a new run with `flowkit run`",
    )


def clones_of(
    workspace: Workspace,
    origin: RunRecord,
    new: FlowDescription,
    step: str | None,
    *,
    parameters: Digest,
) -> tuple[dict[TaskKey, Clone], ResumePlan]:
    """Return the tasks of an earlier run that may stand for new ones, and why others may not.

    `parameters` is the manifest of the new run's parameters and constants. Of the store no more
    than this and the earlier run's is opened: the tasks are the index's to tell.
    """
    finished = workspace.metadata.finished(origin.run)
    graph = Graph(origin.description)
    if any(map(graph.is_gang, graph)):
        finished = {key: finished[key] for key in whole_gangs(graph, finished)}
    outcomes = {key: clone.outcome for key, clone in finished.items()}
    cut_off = [
        row.step for row in workspace.metadata.steps(origin.run) if row.succeeded < row.total
    ]
    plan = reusable(
        origin.description,
        new,
        outcomes,
        from_step=step,
        unfinished=cut_off,
        changed_constants=_changed_constants(workspace, origin, new, parameters),
    )
    if len(plan.reusable) < len(finished):
        finished = {key: finished[key] for key in plan.reusable}
    return finished, plan


def _changed_constants(
    workspace: Workspace, origin: RunRecord, new: FlowDescription, parameters: Digest
) -> list[str]:
    """Return the constants and configs that are not as they were, be they new."""
    if parameters == origin.parameters:
        return []
    before = workspace.store.manifest(origin.parameters).artifacts
    now = workspace.store.manifest(parameters).artifacts
    fixed = [*new.constants, *(one.attribute for one in new.configs)]
    return [name for name in fixed if name not in before or before[name].digest != now[name].digest]


def _named_or_latest(
    workspace: Workspace, flow: str, run_id: str | None, *, user: str, purpose: str
) -> RunId:
    if run_id is not None:
        return RunId(flow, run_id.removeprefix(f"{flow}/"))
    latest = workspace.metadata.runs(flow, user=user, limit=1)
    if not latest:
        raise NotFound(
            f"no run of `{flow}` is there {purpose}", hint="start one with `flowkit run`"
        )
    return latest[0].run


def _reconciled(workspace: Workspace, run: RunId) -> RunRow:
    """Return a run's row, after telling the index what only the store knows yet.

    A runner that was killed may have had results that it had not indexed: they are in the store.
    """
    row = workspace.metadata.run(run)
    if row is not None and row.status not in ("lost", "running"):
        return row
    if row is None and run not in set(workspace.store.run_ids(run.flow)):
        raise missing_run(workspace, run)
    reindex_run(workspace.store, run, workspace.metadata)
    found = workspace.metadata.run(run)
    if found is None:  # it was deleted meanwhile
        raise missing_run(workspace, run)
    return found


def _record(workspace: Workspace, run: RunId) -> RunRecord:
    """Return a run as it began. Raises NotFound if it is not there any more."""
    try:
        return workspace.store.run_record(run)
    except KeyMissing as error:
        raise missing_run(workspace, run) from error
