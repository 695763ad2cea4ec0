"""A flow that has been read and can be run or resumed: the library behind the command line."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import flowkit
from flowkit.client import Workspace, check_tags, open_workspace, use_workspace
from flowkit.errors import FlowkitError, StoreError, UsageError
from flowkit.executor import FlowHost, Surroundings, open_executor, open_host
from flowkit.graph import FlowDescription, Graph
from flowkit.plan import Limits, Scheduler, check_step, tell_excess
from flowkit.records import Clone, RunEnd, RunRecord
from flowkit.runner.backends import refuse_backends
from flowkit.runner.cards import keep_cards
from flowkit.runner.drive import Driven, Driver
from flowkit.runner.logbook import LogBook
from flowkit.runner.origin import clones_of, find_origin
from flowkit.runner.progress import Listener, Noticed
from flowkit.runner.projects import branch_of, runs_that_trigger
from flowkit.runner.source import FlowSource
from flowkit.runner.stopping import StopSwitch
from flowkit.values import Digest, LoadOptions, ProjectBranch, RunId, StoreAddress, TaskKey

if TYPE_CHECKING:
    from flowkit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a caller chooses for one run.

    `parameters` is text as it stands on a command line, by option name; it is converted where the
    flow's own types are known. `with_specs` are policies for all steps, such as `retry:times=2`.
    The run's id is written to `run_id_file` before its first task starts, and with the flow's name
    and the place of its runs, as JSON, to `attribute_file`. A foreach that fans out to more than
    `max_num_splits` tasks fails. `branch` and
    `production` say where in its project a run is; a resumed run stays where the earlier one was
    unless they say otherwise. `triggers` are runs, as `Flow/12`, that are said to have started it.
    `reuse`: tasks of any earlier run may stand for this run's, except of steps that forbid it.
    """

    parameters: Mapping[str, str | list[str]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    with_specs: tuple[str, ...] = ()
    run_id_file: str | None = None
    attribute_file: str | None = None
    max_num_splits: int | None = None
    namespace: str | None = None
    branch: str | None = None
    production: bool = False
    triggers: tuple[str, ...] = ()
    reuse: bool = False

    @property
    def policies(self) -> tuple[str, ...]:
        """Policies for all steps; reuse is one that a step may have by itself."""
        return (*self.with_specs, "memo") if self.reuse else self.with_specs


@dataclass(frozen=True, slots=True)
class Resumes:
    """That a session is opened to resume a run: the one named, or the user's latest one."""

    run_id: str | None = None


@contextmanager
def open_session(
    source: FlowSource,
    settings: Settings,
    *,
    workspace: Workspace | None = None,
    surroundings: Surroundings | None = None,
    stop: StopSwitch | None = None,
    load: LoadOptions | None = None,
    resumes: Resumes | None = None,
) -> Iterator[FlowSession]:
    """Read a flow, and keep what can run it until the block ends.

    Args:
        source: the flow.
        settings: how it is run, and where its runs are kept.
        workspace: the store and the index that the settings name, if they are open already.
        surroundings: what the flow's own processes find around them; that of this one by default.
        stop: asks the session's run to stop, from another thread.
        load: what the flow's configs are given.
        resumes: the session is for resuming this run: configs have the values they had there.

    Raises:
        FlowInvalid: the flow has faults, or its file cannot be imported.
        UsageError: the file has several flows and none is named, or a config cannot be read.
        Abandoned: `stop` was asked for while the flow was being read.
    """
    stop = stop or StopSwitch()
    address = _address(settings)
    options = replace(load or LoadOptions(), user=settings.user, ds_type=address.kind)
    with ExitStack() as opened:

        def open_here() -> Workspace:
            nonlocal workspace
            if workspace is None:
                workspace = open_workspace(settings)
                opened.callback(workspace.close)
            return workspace

        def choose(flow: str) -> LoadOptions:
            is_new = workspace is None and not Path(settings.metadata).is_file()
            if resumes is None or is_new:  # a flow that is refused leaves nothing behind
                return options
            try:
                origin = find_origin(open_here(), flow, resumes.run_id, user=settings.user)
            except UsageError:
                # The flow's own faults are told first; `resume` finds no run again.
                return options
            return replace(options, kept=origin.description.config_values)

        host = open_host(
            settings.executor,
            source.file,
            source.name,
            environ=_environ(settings),
            surroundings=surroundings,
            is_abandoned=lambda: stop.is_unanswered,
            choose=choose,
        )
        opened.callback(host.close)
        workspace = open_here()
        if settings.executor == "inline":
            opened.enter_context(use_workspace(workspace))
        yield FlowSession(host, settings, workspace, stop)


class FlowSession:
    """A flow, ready to run. `description` is the flow as data, `workspace` where runs are kept."""

    def __init__(
        self, host: FlowHost, settings: Settings, workspace: Workspace, stop: StopSwitch
    ) -> None:
        self._host, self._settings, self._stop = host, settings, stop
        self.workspace = workspace

    @property
    def description(self) -> FlowDescription:
        """The flow as data."""
        return self._host.description

    def run(self, options: RunOptions, listener: Listener) -> RunEnd:
        """Run the flow from its start; returns how it ended.

        Raises:
            UsageError: a parameter or an option does not fit; there is no run then.
            FlowkitError: the store or the executor failed; the run can be resumed.
        """
        self._prepare(options, listener)
        parameters = self._host.bind(
            _address(self._settings), options.parameters, user=self._settings.user
        )
        record = self._record(options, parameters)
        return self._drive(options, listener, record, {}, asks=self._memo())

    def resume(
        self,
        options: RunOptions,
        listener: Listener,
        *,
        step: str | None = None,
        origin: str | None = None,
    ) -> RunEnd:
        """Run the flow again, with every task of an earlier run that still holds cloned.

        Where parameters are given, others keep their values, and a task holds if nothing that it
        depends on has changed: its fingerprint is the same.

        Args:
            options: as for a run.
            listener: told what happens.
            step: run this step and all after it anew, whatever they came to before.
            origin: id of the run to resume; by default the user's latest run of the flow.

        Raises:
            NotFound: there is no such run.
            UsageError: the run is still running, there is no such step, or a parameter does not
                fit.
        """
        user, address = self._settings.user, _address(self._settings)
        earlier = find_origin(self.workspace, self.description.name, origin, user=user)
        kept = earlier.description.config_values
        if any(kept.get(one.name, one.value) != one.value for one in self.description.configs):
            self._host.reread(LoadOptions(user=user, ds_type=address.kind, kept=kept))
        self._prepare(options, listener)
        parameters = self._host.rebind(address, earlier.parameters, options.parameters)
        if options.parameters:
            anew = self._behind(step)
            record = self._record(options, parameters, origin=earlier)
            asks = frozenset(Graph(self.description)) - anew
            return self._drive(options, listener, record, {}, asks=asks, within=earlier.run)
        clones, plan = clones_of(
            self.workspace, earlier, self.description, step, parameters=parameters
        )
        for name, reason in plan.reasons.items():
            listener(Noticed(f"step `{name}` runs anew: {reason}"))
        for name in plan.mended:
            again = f"flowkit resume {os.path.relpath(self.description.file)} {name}"
            listener(
                Noticed(
                    f"step `{name}` changed; its tasks that succeeded before are kept "
                    f"(`{again}` runs them anew)"
                )
            )
        record = self._record(options, parameters, origin=earlier)
        return self._drive(options, listener, record, clones, asks=self._memo(step))

    def _memo(self, anew: str | None = None) -> frozenset[str]:
        """Return the steps that any earlier run may stand in for, but those to be run anew."""
        memo = {node.name for node in self.description.nodes if node.policies.memo}
        return frozenset(memo - self._behind(anew))

    def _behind(self, step: str | None) -> frozenset[str]:
        """Return a step and all that comes after it. Raises NotFound."""
        graph = Graph(self.description)
        if step is None:
            return frozenset()
        check_step(step, graph)
        return graph.descendants(step) | {step}

    def _prepare(self, options: RunOptions, listener: Listener) -> None:
        check_tags(options.tags)
        for path in (options.run_id_file, options.attribute_file):
            if path:
                _check_writable(Path(path))
        if options.policies:
            self._host.decorate(options.policies)
        refuse_backends(self.description)
        # What is wrong with these is told before anything is bound or kept.
        self._project(options)
        runs_that_trigger(self.workspace, self.description, options.triggers)
        unsafe = self.description.unsafe_to_fork
        if unsafe is not None and self._settings.executor == "local":
            listener(Noticed(f"tasks start as cold processes, which is slower: {unsafe}"))

    def _project(self, options: RunOptions) -> ProjectBranch | None:
        return branch_of(
            self.description,
            branch=options.branch,
            production=options.production,
            user=self._settings.user,
        )

    def _record(
        self, options: RunOptions, parameters: Digest, *, origin: RunRecord | None = None
    ) -> RunRecord:
        """Create the run's record in the store, under the first number that is free."""
        settings, store = self._settings, self.workspace.store
        project = self._project(options)
        triggers = runs_that_trigger(self.workspace, self.description, options.triggers)
        if origin is not None:
            stays = options.branch is None and not options.production and project is not None
            project = (origin.project or project) if stays else project
            triggers = triggers or origin.triggers
        name, number = self.description.name, store.next_run_number(self.description.name)
        now = datetime.now(UTC)
        while True:
            record = RunRecord(
                run=RunId(name, str(number)),
                description=self.description,
                parameters=parameters,
                started_at=now,
                user=settings.user,
                origin=origin.run if origin is not None else None,
                tags=options.tags,
                system_tags=_system_tags(settings.user, now, project),
                host=socket.gethostname(),
                pid=os.getpid(),
                flowkit_version=flowkit.__version__,
                python_version=platform.python_version(),
                project=project,
                triggers=triggers,
            )
            if store.create_run(record):
                break
            number += 1
        # Until there was a record, nothing but their age kept the parameters from being collected.
        if not store.refresh_manifest(parameters):
            raise StoreError(
                f"the parameters of `{record.run}` were collected as garbage before it began",
                hint="start it again; give `flowkit gc` a longer `--grace` beside starting runs",
            )
        self.workspace.metadata.record_run(record)
        run = record.run
        if options.run_id_file:
            _write(Path(options.run_id_file), run.id)
        if options.attribute_file:
            place = f"local@{settings.home}"
            told = {"flow_name": run.flow, "run_id": run.id, "metadata": place}
            _write(Path(options.attribute_file), json.dumps(told))
        return record

    def _drive(
        self,
        options: RunOptions,
        listener: Listener,
        record: RunRecord,
        clones: dict[TaskKey, Clone],
        *,
        asks: frozenset[str],
        within: RunId | None = None,
    ) -> RunEnd:
        """Drive a run. Of the steps in `asks`, tasks that an earlier run computed are cloned.

        `within`: the only earlier run to take them from.
        """
        settings, workspace = self._settings, self.workspace
        graph = Graph(self.description)
        limits = Limits(
            slots=settings.max_workers,
            cpu=settings.cpu,
            memory_mb=settings.memory_mb,
            gpu=settings.gpu,
        )
        for excess in tell_excess(graph, limits):
            listener(Noticed(excess))
        executor = open_executor(settings.executor, self._host)
        earlier = workspace.metadata.runs(record.run.flow, before=record.run, limit=1)
        logs = LogBook(
            workspace.store, record.run, settings.home, limit_bytes=settings.log_limit_bytes
        )
        reuse = None
        if asks:
            from flowkit.runner.reuse import Reuse  # few runs need it

            reuse = Reuse(workspace, record, within=within, warn=lambda m: listener(Noticed(m)))
        driven = Driven(
            record=record,
            graph=graph,
            scheduler=Scheduler(graph, limits, asks),
            executor=executor,
            store=workspace.store,
            address=_address(self._settings),
            metadata=workspace.metadata,
            logs=logs,
            listener=listener,
            max_num_splits=options.max_num_splits,
            keep_cards=partial(keep_cards, workspace.store, settings.home, record.run),
            namespace=options.namespace or f"user:{settings.user}",
            base_run=earlier[0].run if earlier else None,
            stop=self._stop,
            reuse=reuse,
        )
        succeeded = False
        try:
            end = Driver(driven).drive(clones)
            succeeded = end.status == "succeeded"
            return end
        finally:
            executor.close()
            self._call_exit_hooks(record.run, listener, succeeded=succeeded)

    def _call_exit_hooks(self, run: RunId, listener: Listener, *, succeeded: bool) -> None:
        """Have the flow's exit hooks called; what they raise changes nothing about the run."""
        hooks = self.description.policies.exit_hooks
        if hooks is None or not (hooks.on_success if succeeded else hooks.on_error):
            return
        self._stop.answer()  # they are called for runs that were stopped; the next one stops them
        try:
            failed = self._host.call_exit_hooks(run, succeeded=succeeded)
        except FlowkitError as error:
            listener(Noticed(f"the exit hooks could not be called: {error.message}"))
            return
        for name, failure in failed:
            at = f" at {failure.where}" if failure.where else ""
            listener(
                Noticed(f"exit hook `{name}` raised {failure.type_name}: {failure.message}{at}")
            )


def _address(settings: Settings) -> StoreAddress:
    return StoreAddress(url=str(settings.store), sync=settings.sync, verify=settings.verify)


def _environ(settings: Settings) -> dict[str, str]:
    """Have the client inside steps, and commands that steps start, look where this run is kept."""
    return {
        "FLOWKIT_HOME": str(settings.home),
        "FLOWKIT_STORE": settings.store,
        "FLOWKIT_METADATA": settings.metadata,
        "FLOWKIT_USER": settings.user,
        "FLOWKIT_NAMESPACE": settings.namespace or "",
    }


def _system_tags(user: str, now: datetime, project: ProjectBranch | None) -> tuple[str, ...]:
    place = (f"project:{project.project}", f"project_branch:{project.branch}") if project else ()
    return (
        f"date:{now:%Y-%m-%d}",
        f"flowkit_version:{flowkit.__version__}",
        *place,
        f"python_version:{platform.python_version()}",
        "runtime:local",
        f"user:{user}",
    )


def _check_writable(path: Path) -> None:
    """Find out before there is a run. Whoever waits for the file must not find it empty."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "it is a folder, or not yours to write")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def _unwritable(path: Path, reason: str | None) -> UsageError:
    return UsageError(
        f"the file `{path}` cannot be written: {reason}",
        hint="give a path in a folder that can be written to",
    )
