"""Spinning: one step of a flow, run by itself after what an earlier run came to."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from msgspec.structs import replace

import flowkit
from flowkit.client import Workspace, open_workspace, spin_settings
from flowkit.errors import NotFound, UsageError
from flowkit.executor import FlowHost, open_executor
from flowkit.graph import NO_POLICIES, FlowDescription, Graph, Node
from flowkit.plan import OneTask, StartTask, find_task
from flowkit.records import RunEnd, RunRecord
from flowkit.runner.backends import refuse_backends
from flowkit.runner.cards import keep_cards
from flowkit.runner.drive import Driven, Driver
from flowkit.runner.logbook import LogBook
from flowkit.runner.options import RunOptions
from flowkit.runner.origin import find_spun
from flowkit.runner.progress import Listener, Noticed
from flowkit.runner.run_files import check_files, write_files
from flowkit.runner.spins import SpinOptions, SpinTarget, Spun
from flowkit.runner.stopping import StopSwitch
from flowkit.values import Attempt, Digest, RunId, StoreAddress, TaskKey
from flowkit.wording import count_of
from flowkit.worker import Override, override

if TYPE_CHECKING:
    from flowkit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Spinner:
    """Spins steps of a flow that is open."""

    host: FlowHost
    settings: Settings
    workspace: Workspace
    stop: StopSwitch

    def spin(self, options: SpinOptions, listener: Listener) -> Spun:
        """Run one step by itself; returns how it ended. Runs and their store are only read.

        Raises:
            NotFound: there is no such run, step, task or module.
            UsageError: the run does not lead to the step, or something given does not fit.
            FlowkitError: the store or the executor failed.
        """
        files = RunOptions(run_id_file=options.run_id_file)
        check_files(files)
        if options.with_specs:
            self.host.decorate(options.with_specs)
        description = _settled(self.host.description, options)
        graph, step = Graph(description), options.target.step
        _check_step(graph, step)
        origin = find_spun(self.workspace, graph.name, options.target.run, user=self.settings.user)
        key = self._key(graph, origin, options.target, listener)
        with self._place(options) as place:
            address = StoreAddress(
                url=place.settings.store, sync=self.settings.sync, verify=self.settings.verify
            )
            parameters = self._parameters(address, origin)
            finished = {
                one: clone.outcome
                for one, clone in self.workspace.metadata.finished(origin.run).items()
            }
            task = find_task(description, parameters, finished, step=step, key=key)
            if task is None:
                raise _unreached(graph, origin.run, step=step, key=key)
            if options.artifacts_module:
                request = _request(
                    options.artifacts_module, graph, task, address=address, parameters=parameters
                )
                answer = override(request)
                task, parameters = replace(task, inputs=answer.inputs), answer.parameters
            record = self._record(description, parameters, place=place, origin=origin)
            write_files(files, record.run, home=place.settings.home)
            end = self._drive(
                task, record, place=place, address=address, options=options, listener=listener
            )
            return _spun(place, task.attempt, end, graph=graph, is_kept=options.persist)

    @contextmanager
    def _place(self, options: SpinOptions) -> Iterator[Workspace]:
        """Open the place of the spin: one that stays, or one that goes with it."""
        with ExitStack() as opened:
            folder = None
            if not options.persist:
                folder = Path(opened.enter_context(TemporaryDirectory(prefix="flowkit-spin-")))
            place = open_workspace(spin_settings(self.settings, folder))
            opened.callback(place.close)
            yield place

    def _key(
        self, graph: Graph, origin: RunRecord, target: SpinTarget, listener: Listener
    ) -> TaskKey | None:
        """Return the task that is meant; None if the earlier run had none of the step."""
        step, depth = target.step, graph.depth(target.step)
        if target.task is not None:
            try:
                return TaskKey.parse(step, target.task, depth=depth)
            except ValueError as error:
                raise NotFound(
                    f"step `{step}` has no task `{target.task}`",
                    hint="name one as in `0.1`: an index for each foreach around the step"
                    if depth
                    else f"its task is `{TaskKey(step).task_id}`",
                ) from error
        rows = self.workspace.metadata.tasks(origin.run, step, limit=1)
        if not rows or len(rows[0].key.path) != depth:
            return None
        total = sum(one.total for one in self.workspace.metadata.steps(origin.run, step))
        if total > 1:
            told = f"step `{step}` has {count_of(total, 'task')} in run `{origin.run}`"
            listener(
                Noticed(f"{told}; this is `{rows[0].key}`: name another as `{origin.run}/{step}/1`")
            )
        return rows[0].key

    def _parameters(self, address: StoreAddress, origin: RunRecord) -> Digest:
        """Return the earlier run's parameters, with the flow's constants as they are now."""
        known = self.workspace.store.manifest(origin.parameters).artifacts
        for one in self.host.description.parameters:
            if one.attribute not in known:
                raise UsageError(
                    f"the flow now has a parameter `{one.name}`, which run `{origin.run}` had not",
                    hint="run the flow again, and spin the step of that run",
                )
        return self.host.rebind(address, origin.parameters, {})

    def _record(
        self,
        description: FlowDescription,
        parameters: Digest,
        *,
        place: Workspace,
        origin: RunRecord,
    ) -> RunRecord:
        """Record the spin, under the first id that is free where it is kept."""
        user, now, number = self.settings.user, datetime.now(UTC), 1
        while True:
            record = RunRecord(
                run=RunId(description.name, f"spin-{number}"),
                description=description,
                parameters=parameters,
                started_at=now,
                user=user,
                origin=origin.run,
                system_tags=(f"date:{now:%Y-%m-%d}", f"origin:{origin.run}", f"user:{user}"),
                host=socket.gethostname(),
                pid=os.getpid(),
                flowkit_version=flowkit.__version__,
                python_version=platform.python_version(),
                project=origin.project,
            )
            if place.store.create_run(record):
                place.metadata.record_run(record)
                return record
            number += 1

    def _drive(
        self,
        task: StartTask,
        record: RunRecord,
        *,
        place: Workspace,
        address: StoreAddress,
        options: SpinOptions,
        listener: Listener,
    ) -> RunEnd:
        settings, home = self.settings, place.settings.home
        executor = open_executor(settings.executor, self.host)
        limit = settings.log_limit_bytes
        driven = Driven(
            record=record,
            graph=Graph(record.description),
            scheduler=OneTask(task),
            executor=executor,
            store=place.store,
            address=address,
            metadata=place.metadata,
            logs=LogBook(place.store, record.run, home, limit_bytes=limit),
            listener=listener,
            max_num_splits=None,
            keep_cards=partial(keep_cards, place.store, home, record.run),
            namespace=options.namespace or f"user:{settings.user}",
            base_run=None,
            stop=self.stop,
            skip_decorators=options.skip_decorators,
        )
        try:
            return Driver(driven).drive({})
        finally:
            executor.close()


def _settled(description: FlowDescription, options: SpinOptions) -> FlowDescription:
    """Return the flow as a spin runs it: each step once. Raises BackendMissing."""
    nodes = description.nodes
    if options.skip_decorators:
        return replace(
            description, nodes=tuple(replace(one, policies=NO_POLICIES) for one in nodes)
        )
    spun = tuple(one for one in nodes if one.name == options.target.step)
    refuse_backends(replace(description, nodes=spun))
    return replace(description, nodes=tuple(map(_once, nodes)))


def _once(node: Node) -> Node:
    """Return a step whose failure is final; what `@catch` does, it does in the attempt itself."""
    return replace(node, policies=replace(node.policies, retry=None, catch=None))


def _check_step(graph: Graph, step: str) -> None:
    if step not in graph:
        near = get_close_matches(step, list(graph), n=1)
        names = ", ".join(f"`{one}`" for one in graph)
        raise NotFound(
            f"flow `{graph.name}` has no step `{step}`",
            hint=f"did you mean `{near[0]}`?" if near else f"its steps are {names}",
        )


def _unreached(graph: Graph, run: RunId, *, step: str, key: TaskKey | None) -> UsageError:
    what = f"task `{key}`" if key is not None else f"step `{step}`"
    before = " or ".join(f"`{one}`" for one in graph.parents(step))
    return UsageError(
        f"run `{run}` does not lead to {what}",
        hint=f"run the flow as far as {before}, or name a run that got there: `RUN/{step}`",
    )


def _request(
    module: str, graph: Graph, task: StartTask, *, address: StoreAddress, parameters: Digest
) -> Override:
    """Ask for the artifacts of a module, put over those that the task would find."""
    key, steps, names = task.attempt.key, task.input_steps, tuple[str, ...]()
    if graph[key.step].is_join:
        count = len(task.inputs)
        each = steps if len(steps) == count else steps * count
        paths = [(*key.path, at) if task.joined else key.path for at in range(count)]
        names = tuple(str(TaskKey(one, path)) for one, path in zip(each, paths, strict=True))
    return Override(
        module=os.path.abspath(os.path.expanduser(module)),
        flow_file=graph.description.file,
        store=address,
        parameters=parameters,
        inputs=task.inputs,
        names=names,
    )


def _spun(place: Workspace, attempt: Attempt, end: RunEnd, *, graph: Graph, is_kept: bool) -> Spun:
    result = place.store.result(end.run, attempt)
    outcome = result.outcome if result is not None else None
    artifacts, goes_on = tuple[str, ...](), tuple[str, ...]()
    if outcome is not None:
        artifacts = place.store.manifest(outcome.manifest).own or ()
        goes_on = graph[attempt.key.step].targets
        goes_on = (outcome.choice,) if outcome.choice is not None else goes_on
    return Spun(
        run=end.run,
        key=attempt.key,
        end=end,
        result=result,
        artifacts=artifacts,
        goes_on=goes_on,
        home=place.settings.home if is_kept else None,
    )
