"""`Runner`: running flows from a program."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakSet

from msgspec.structs import replace

from flowkit.errors import UsageError
from flowkit.launch.driving import Driving, OnLine, Order, Resumption, Stream
from flowkit.launch.executing import ExecutingRun, ExecutingTask
from flowkit.launch.options import Place, TopOptions, log_limit, most_splits, words_of
from flowkit.profiles import refuse_profile
from flowkit.runner import FlowSource, SpinOptions, SpinTarget


class Runner:
    """Runs a flow from a program: a script, a notebook, a thread of a web server.

    ```python
    with Runner("flow.py").run(alpha=0.5, tags=["nightly"]) as running:
        print(running.status, running.run.data.score)
    ```

    Runs are driven on threads of this process, each step in a process of its own; many may go on
    at once, of the same flow too. The process's environment, folder and signal handlers are left
    as they are. As a context manager, a runner stops what still goes on when the block ends.

    Args:
        flow_file: the flow's file, or `flow.py:Class` if it has several.
        show_output: whether `run` and `resume` print what a command line would.
        profile: there are no profiles; None.
        env: environment variables for the run, on top of this process's.
        cwd: the folder to run in: relative paths among parameters and settings are in it.
        top_opts: settings by name, such as `home`, `executor` or `max_workers`;
            `decospecs=["retry:times=2"]`, decorators for every step; `branch` or `production`,
            where in its project a run is; `trigger`, runs that are said to have started it.

    Raises:
        NotFound: there is no such file.
        UsageError: there is no such option.
    """

    def __init__(
        self,
        flow_file: str | Path,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        **top_opts: Any,
    ) -> None:
        refuse_profile(profile)
        self._source = FlowSource.parse(str(flow_file))
        self._shows_output = show_output
        self._place, self._top = Place.of(env, cwd), TopOptions.of(top_opts)
        self._driven: WeakSet[Driving] = WeakSet()
        self._lock = threading.Lock()

    def run(self, **given: Any) -> ExecutingRun:
        """Run the flow, and wait until it has ended.

        Ctrl-C stops the run, and is raised when it has stopped.

        Args:
            given: the flow's parameters by name, as values or as text; and `tags`, `max_workers`,
                `decospecs` (or `with_`), `namespace`, `run_id_file`, `max_num_splits`, `reuse`.
                None is as good as not given.

        Raises:
            UsageError: a parameter or an option does not fit; there is no run then.
            FlowInvalid: the flow has faults, or its file cannot be imported.
            FlowkitError: the store or the executor failed; the run can be resumed. That a step
                failed is no error: `status` says it.
        """
        return ExecutingRun(self._ended(self._order(given)))

    def resume(
        self, step_to_rerun: str | None = None, *, origin_run_id: str | None = None, **given: Any
    ) -> ExecutingRun:
        """Resume the latest run, or the one named, and wait until it has ended.

        Args:
            step_to_rerun: run this step and all after it anew.
            origin_run_id: the run to resume.
            given: options as for `run`, and parameters that change: what depends on them runs
                anew. Others are the earlier run's.

        Raises what `run` raises; and NotFound: there is no such run.
        """
        order = self._order(given, Resumption(origin_run_id, step_to_rerun))
        return ExecutingRun(self._ended(order))

    def start(self, **given: Any) -> ExecutingRun:
        """Start a run, and return when it has begun. Takes and raises what `run` does."""
        return ExecutingRun(self._begun(self._order(given)))

    def start_resume(
        self, step_to_rerun: str | None = None, *, origin_run_id: str | None = None, **given: Any
    ) -> ExecutingRun:
        """Start resuming, and return when it has begun. Takes and raises what `resume` does."""
        order = self._order(given, Resumption(origin_run_id, step_to_rerun))
        return ExecutingRun(self._begun(order))

    async def async_run(self, **given: Any) -> ExecutingRun:
        """Start a run, and return when it has begun; the event loop goes on meanwhile.

        Takes and raises what `run` does.
        """
        return ExecutingRun(await self._awaited(self._order(given)))

    async def async_resume(
        self, step_to_rerun: str | None = None, *, origin_run_id: str | None = None, **given: Any
    ) -> ExecutingRun:
        """Start resuming, and return when it has begun. Takes and raises what `resume` does."""
        order = self._order(given, Resumption(origin_run_id, step_to_rerun))
        return ExecutingRun(await self._awaited(order))

    def spin(self, pathspec: str, **given: Any) -> ExecutingTask:
        """Run one step by itself after what an earlier run came to, and wait until it has ended.

        Args:
            pathspec: The step, or as `12/fit/3` the run and the task that give it its inputs.
            given: `persist=True` keeps what the step leaves, which `.task` shows;
                `artifacts_module`, a file whose dict `ARTIFACTS` overrides what the step finds;
                `skip_decorators`, `with_`, `run_id_file`, `namespace`, and `max_log_size` in MB.

        Raises what `run` raises; and NotFound: there is no such run, step or task.
        """
        return ExecutingTask(self._ended(self._order_of_spin(pathspec, given)))

    async def async_spin(self, pathspec: str, **given: Any) -> ExecutingTask:
        """Start a spin, and return when it has begun. Takes and raises what `spin` does."""
        return ExecutingTask(await self._awaited(self._order_of_spin(pathspec, given)))

    def cleanup(self) -> None:
        """Stop the runs that still go on, and wait until nothing is left of them."""
        with self._lock:
            driven = list(self._driven)
        for one in driven:
            if not one.is_over:
                one.stop()
        for one in driven:
            one.close()

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cleanup()

    async def __aenter__(self) -> Runner:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.cleanup)

    def _order(self, given: Mapping[str, Any], resumes: Resumption | None = None) -> Order:
        left = dict(given)
        specs = (
            *self._top.run.with_specs,
            *words_of("decospecs", left.pop("decospecs", None)),
            *words_of("with_", left.pop("with_", None)),
        )
        overrides = dict(self._top.overrides)
        if (most := left.pop("max_workers", None)) is not None:
            overrides["max_workers"] = most
        namespace = left.pop("namespace", None)
        if namespace is not None:
            overrides["namespace"] = namespace
        options = replace(
            self._top.run,
            tags=words_of("tags", left.pop("tags", None)),
            with_specs=specs,
            run_id_file=self._place.path(left.pop("run_id_file", None)),
            max_num_splits=most_splits(left.pop("max_num_splits", None)),
            namespace=namespace,
            reuse=bool(left.pop("reuse", False)),
        )
        return Order(
            source=self._source,
            settings=self._place.settings(overrides),
            place=self._place,
            parameters=left,
            options=options,
            load=self._top.load,
            resumes=resumes,
        )

    def _order_of_spin(self, pathspec: str, given: Mapping[str, Any]) -> Order:
        left = dict(given)
        overrides = dict(self._top.overrides)
        namespace = left.pop("namespace", None)
        if namespace is not None:
            overrides["namespace"] = namespace
        if (limit_bytes := log_limit(left.pop("max_log_size", None))) is not None:
            overrides["log_limit_bytes"] = limit_bytes
        spins = SpinOptions(
            target=SpinTarget.parse(pathspec),
            artifacts_module=self._place.path(left.pop("artifacts_module", None)),
            persist=bool(left.pop("persist", False)),
            skip_decorators=bool(left.pop("skip_decorators", False)),
            run_id_file=self._place.path(left.pop("run_id_file", None)),
            namespace=namespace,
            with_specs=(*self._top.run.with_specs, *words_of("with_", left.pop("with_", None))),
        )
        if left:
            raise UsageError(
                f"`spin` takes no `{next(iter(left))}`: the parameters are the earlier run's",
                hint="override artifacts and parameters with `artifacts_module`",
            )
        return Order(
            source=self._source,
            settings=self._place.settings(overrides),
            place=self._place,
            load=self._top.load,
            spins=spins,
        )

    def _ended(self, order: Order) -> Driving:
        """Drive a run to its end, and show what it prints from this very thread."""
        if order.settings.executor == "inline":
            driving = self._driving(order, _print if self._shows_output else None)
            driving.drive()
        else:
            lines: deque[tuple[Stream, str]] = deque()
            shows = self._shows_output
            driving = self._driving(
                order, (lambda stream, line: lines.append((stream, line))) if shows else None
            )
            driving.start()
            _see_through(driving, lines)
        return _handed_out(driving, is_over=True)

    def _begun(self, order: Order) -> Driving:
        driving = self._started(order)
        try:
            driving.wait(lambda: driving.has_begun)
        except BaseException:
            driving.stop()
            raise
        return _handed_out(driving)

    async def _awaited(self, order: Order) -> Driving:
        driving = self._started(order)
        try:
            await driving.bell.heard(lambda: driving.has_begun)
        except BaseException:  # whoever cancels this has no run in hand to stop
            driving.stop()
            raise
        return _handed_out(driving)

    def _started(self, order: Order) -> Driving:
        if order.settings.executor == "inline":
            raise UsageError(
                "the executor `inline` runs steps in the thread that waits for them",
                hint="call `run` or `resume`, or choose the executor `local`",
            )
        driving = self._driving(order, None)
        driving.start()
        return driving

    def _driving(self, order: Order, on_line: OnLine | None) -> Driving:
        driving = Driving(order, on_line=on_line)
        with self._lock:
            self._driven.add(driving)
        return driving


def _see_through(driving: Driving, lines: deque[tuple[Stream, str]]) -> None:
    """Wait for a run and print its lines; Ctrl-C stops it, and is raised once it has stopped."""
    interrupt: KeyboardInterrupt | None = None
    is_over = False
    while not is_over:
        try:
            driving.wait(lambda: bool(lines) or driving.is_over)
            is_over = driving.is_over  # before the lines: the last ones were there by then
            while lines:
                _print(*lines.popleft())
        except KeyboardInterrupt as pressed:
            driving.stop()
            interrupt = pressed
        except BaseException:  # such as a closed stdout: nobody is left to hear of the run
            driving.close()
            raise
    if interrupt is not None:
        driving.close()
        raise interrupt


def _print(stream: Stream, line: str) -> None:
    (sys.stdout if stream == "stdout" else sys.stderr).write(line + "\n")


def _handed_out(driving: Driving, *, is_over: bool = False) -> Driving:
    """Return what drives a run that has begun, or raise why there is none."""
    if driving.error is not None and (is_over or driving.run_id is None):
        raise driving.error
    return driving
