"""A run that a program has started, as the program sees it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Literal, cast

from flowkit.client import Run, Task, open_workspace, spin_settings
from flowkit.errors import FlowkitBug, FlowkitError, UsageError
from flowkit.launch.driving import Driving, Stream
from flowkit.launch.following import Tape

if TYPE_CHECKING:
    from flowkit.runner import RunFact

ExecutingStatus = Literal["running", "successful", "failed", "timeout"]


class ExecutingRun:
    """A run that goes on, or has ended, and what it printed. Threads may share one.

    As a context manager it stops the run at the end of the block if it still goes on.
    """

    def __init__(self, driving: Driving) -> None:
        self._driving = driving
        self._has_timed_out = False

    @property
    def run(self) -> Run:
        """The run, as the client shows it; also after the runner is cleaned up."""
        driving = self._driving
        if driving.run_id is None:
            raise FlowkitBug("a run was handed out before it had begun")
        return Run(str(driving.run_id), workspace=driving.workspace, check_namespace=False)

    @property
    def status(self) -> ExecutingStatus:
        """How it stands. `timeout`: `wait` stopped it. A run that was stopped has `failed`."""
        if not self._driving.is_over:
            return "running"
        if self._has_timed_out:
            return "timeout"
        return "successful" if self.returncode == 0 else "failed"

    @property
    def returncode(self) -> int | None:
        """The exit code that `flowkit run` would have ended with; None while it goes on."""
        if not self._driving.is_over:
            return None
        if self._driving.end is not None:
            return self._driving.end.exit_code
        error = self._driving.error
        return error.exit_code if isinstance(error, FlowkitError) else 1

    @property
    def stdout(self) -> str:
        """What its tasks have printed to stdout until now, each line after `step | `."""
        return self._driving.texts["stdout"].text

    @property
    def stderr(self) -> str:
        """How it went, a line for each change of a task, and what was printed to stderr."""
        return self._driving.texts["stderr"].text

    @property
    def events(self) -> Tape[RunFact]:
        """What happens in the run, as values: those of `flowkit.runner`, such as `TaskEnded`.

        To be iterated, with `for` in a thread or `async for` in an event loop. Every follower gets
        all that are kept, which are the latest 100,000, and then each as it happens.
        """
        return self._driving.events

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """Yield the lines of `stdout` or `stderr` as they come, each with the position after it.

        With that as `position`, a later call goes on behind the line.
        """
        async for place, line in self._driving.texts[_stream(stream)].lines(position or 0):
            yield place, line

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> ExecutingRun:
        """Wait until the run has ended, in an event loop that goes on meanwhile.

        Args:
            timeout: stop the run after so many seconds.
            stream: print the lines of `stdout` or `stderr` meanwhile.

        Raises:
            FlowkitError: the store or the executor failed; the run can be resumed. That a step
                failed is no error here: `status` says it.
        """
        import asyncio

        try:
            await asyncio.wait_for(self._ended(stream), timeout)
        except TimeoutError:
            self._has_timed_out = not self._driving.is_over
            self.terminate()
            await self._ended(None)
        self._raise_error()
        return self

    def join(self, timeout_s: float | None = None) -> ExecutingRun:
        """Wait in this thread until the run has ended, or so many seconds at most.

        Raises what `wait` raises.
        """
        if self._driving.wait(lambda: self._driving.is_over, timeout_s):
            self._raise_error()
        return self

    def terminate(self) -> None:
        """Ask the run to stop; it can be resumed. Called again, its tasks are killed.

        Does not wait: `wait`, `join` or the end of the block does.
        """
        if not self._driving.is_over:
            self._driving.stop()

    def __enter__(self) -> ExecutingRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._driving.close()

    async def __aenter__(self) -> ExecutingRun:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()
        await self._ended(None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._driving.run_id)!r}, {self.status!r})"

    async def _ended(self, stream: str | None) -> None:
        if stream is not None:
            async for _, line in self.stream_log(stream):
                sys.stdout.write(line + "\n")
        await self._driving.bell.heard(lambda: self._driving.is_over)

    def _raise_error(self) -> None:
        if self._driving.error is not None:
            raise self._driving.error


class ExecutingTask(ExecutingRun):
    """A spin: one step that runs by itself, or has, and what it printed."""

    @property
    def run(self) -> Run:
        """The run of this one task, as the client shows it.

        Raises:
            UsageError: the spin goes on, or was not kept.
        """
        spun = self._driving.spun
        if spun is None or spun.home is None:
            raise UsageError(
                "what the step has left is not kept" if spun else "the step has not ended",
                hint="spin it with `persist=True`" if spun else "wait for it",
            )
        workspace = open_workspace(spin_settings(self._driving.settings))
        return Run(str(spun.run), workspace=workspace, check_namespace=False)

    @property
    def task(self) -> Task:
        """The task, as the client shows it. Raises what `run` does."""
        run, spun = self.run, self._driving.spun
        assert spun is not None
        return Task.find(run, spun.key.step, spun.key.task_id)


def _stream(name: str) -> Stream:
    if name not in ("stdout", "stderr"):
        raise UsageError(f"there is no stream `{name}`", hint="name `stdout` or `stderr`")
    return cast("Stream", name)
