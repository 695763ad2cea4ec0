"""A flow that has been read and can be run or resumed: the library behind the command line."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import flowkit
from flowkit.client import Workspace, check_tags
from flowkit.errors import FlowkitError
from flowkit.executor import FlowHost, open_executor
from flowkit.graph import FlowDescription, Graph
from flowkit.plan import Limits, Scheduler, check_step, tell_excess
from flowkit.records import Clone, RunEnd, RunRecord
from flowkit.runner.backends import refuse_backends
from flowkit.runner.beginning import Beginning, record_beginning
from flowkit.runner.cards import keep_cards
from flowkit.runner.drive import Driven, Driver
from flowkit.runner.logbook import LogBook
from flowkit.runner.options import RunOptions
from flowkit.runner.origin import clones_of, explained_if_deleted, find_origin, find_source
from flowkit.runner.progress import Listener, Noticed
from flowkit.runner.projects import Belonging, belonging_of
from flowkit.runner.run_files import check_files, write_files
from flowkit.runner.stopping import StopSwitch
from flowkit.values import Digest, Failure, LoadOptions, ProjectBranch, RunId, StoreAddress, TaskKey

if TYPE_CHECKING:
    from flowkit.runner.spins import SpinOptions, Spun
    from flowkit.settings import Settings


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
        belonging = self._prepare(options, listener)

        def bind() -> Digest:
            return self._host.bind(
                address_of(self._settings), options.parameters, user=self._settings.user
            )

        record = self._record(options, bind(), belonging, bind=bind)
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
        user, address = self._settings.user, address_of(self._settings)
        earlier = find_origin(self.workspace, self.description.name, origin, user=user)
        kept = earlier.description.config_values
        if any(kept.get(one.name, one.value) != one.value for one in self.description.configs):
            self._host.reread(LoadOptions(user=user, ds_type=address.kind, kept=kept))
        belonging = self._prepare(options, listener, origin=earlier)

        def bind() -> Digest:
            with explained_if_deleted(self.workspace, earlier.run):
                return self._host.rebind(address, earlier.parameters, options.parameters)

        parameters = bind()
        with explained_if_deleted(self.workspace, earlier.run):
            source = find_source(self.workspace, earlier)
        if options.parameters:
            anew = self._behind(step)
            record = self._record(options, parameters, belonging, bind=bind, origin=earlier)
            asks = frozenset(Graph(self.description)) - anew
            return self._drive(
                options, listener, record, {}, asks=asks, source=source.run, within=source.run
            )
        with explained_if_deleted(self.workspace, source.run):
            clones, plan = clones_of(
                self.workspace, source, self.description, step, parameters=parameters
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
        record = self._record(options, parameters, belonging, bind=bind, origin=earlier)
        asks = self._memo(step)
        return self._drive(options, listener, record, clones, asks=asks, source=source.run)

    def spin(self, options: SpinOptions, listener: Listener) -> Spun:
        """Run one step by itself, after what an earlier run came to; no run learns of it.

        Raises what `Spinner.spin` does.
        """
        from flowkit.runner.spinning import Spinner  # runs do without it

        spinner = Spinner(
            host=self._host, settings=self._settings, workspace=self.workspace, stop=self._stop
        )
        return spinner.spin(options, listener)

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

    def _prepare(
        self, options: RunOptions, listener: Listener, *, origin: RunRecord | None = None
    ) -> Belonging:
        """Check what can be wrong before anything is kept; return where the run belongs."""
        check_tags(options.tags)
        check_files(options)
        if options.policies:
            self._host.decorate(options.policies)
        refuse_backends(self.description)
        user = self._settings.user
        return belonging_of(self.workspace, self.description, options, user=user, origin=origin)

    def _record(
        self,
        options: RunOptions,
        parameters: Digest,
        belonging: Belonging,
        *,
        bind: Callable[[], Digest],
        origin: RunRecord | None = None,
    ) -> RunRecord:
        """Create the run's record in the store, and tell the index and the files of `options`.

        `bind` stores the parameters again, if they were collected as garbage meanwhile.
        """
        settings, now = self._settings, datetime.now(UTC)

        def describe(run: RunId, parameters: Digest) -> RunRecord:
            return RunRecord(
                run=run,
                description=self.description,
                parameters=parameters,
                started_at=now,
                user=settings.user,
                origin=origin.run if origin is not None else None,
                tags=options.tags,
                system_tags=_system_tags(settings.user, now, belonging.project),
                host=socket.gethostname(),
                pid=os.getpid(),
                flowkit_version=flowkit.__version__,
                python_version=platform.python_version(),
                project=belonging.project,
                triggers=belonging.triggers,
            )

        beginning = Beginning(self.description.name, bind, describe)
        record = record_beginning(self.workspace, beginning, parameters)
        write_files(options, record.run, home=settings.home)
        return record

    def _drive(
        self,
        options: RunOptions,
        listener: Listener,
        record: RunRecord,
        clones: dict[TaskKey, Clone],
        *,
        asks: frozenset[str],
        source: RunId | None = None,
        within: RunId | None = None,
    ) -> RunEnd:
        """Drive a run. Of the steps in `asks`, tasks that an earlier run computed are cloned.

        `source`: the run that this one takes its `clones` from. `within`: the only earlier run to
        take those of `asks` from.
        """
        settings, workspace = self._settings, self.workspace
        graph = Graph(self.description)
        limits = Limits(
            slots=settings.max_workers,
            cpu=settings.cpu,
            memory_mb=settings.memory_mb,
            gpu=settings.gpu,
        )
        for message in _shortcomings(graph, limits, settings.executor):
            listener(Noticed(message))
        unsafe = self.description.unsafe_to_fork
        if unsafe is not None and settings.executor == "local":
            listener(Noticed(f"tasks start as cold processes, which is slower: {unsafe}"))
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
            address=address_of(self._settings),
            metadata=workspace.metadata,
            logs=logs,
            listener=listener,
            max_num_splits=options.max_num_splits,
            keep_cards=partial(keep_cards, workspace.store, settings.home, record.run),
            namespace=options.namespace or f"user:{settings.user}",
            base_run=earlier[0].run if earlier else None,
            source=source,
            stop=self._stop,
            reuse=reuse,
        )
        driver, succeeded = Driver(driven), False
        with workspace.metadata.changing(record.run) as change:
            try:
                end = driver.drive(clones)
                succeeded = end.status == "succeeded"
                change.is_done = driver.is_indexed
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
            listener(Noticed(_told_hook(name, failure)))


def _shortcomings(graph: Graph, limits: Limits, executor: str) -> Iterator[str]:
    """Say what the flow asks for that it will not get."""
    yield from tell_excess(graph, limits)
    if executor == "inline" and any(map(graph.is_gang, graph)):
        yield (
            "the executor `inline` runs the nodes of a gang one after the other: "
            "they must not wait for one another"
        )


def _told_hook(name: str, failure: Failure) -> str:
    if failure.type_name == "ProcessDied":  # there was nobody left to raise anything
        return f"exit hook `{name}` did not end well: {failure.message}"
    at = f" at {failure.where}" if failure.where else ""
    return f"exit hook `{name}` raised {failure.type_name}: {failure.message}{at}"


def address_of(settings: Settings) -> StoreAddress:
    """Return the address of the store that the settings name."""
    return StoreAddress(url=str(settings.store), sync=settings.sync, verify=settings.verify)


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
