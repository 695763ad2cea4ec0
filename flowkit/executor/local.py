"""`LocalExecutor`: attempts as processes of this machine, forked or cold."""

from __future__ import annotations

import os
import resource
import selectors
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from flowkit.errors import ExecutorError
from flowkit.executor.host import ZygoteHost
from flowkit.ports import Exit, Output
from flowkit.values import Attempt, TaskSpec
from flowkit.wording import told_status
from flowkit.worker import Cancel, Exited, Line, LineReader, Message, Started, Stream, Submit, send

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")
READ_SIZE = 1 << 16
LARGEST_PIPE = 1 << 20
MOST_READS = LARGEST_PIPE // READ_SIZE + 1
OUT_OF_MEMORY = "if nobody stopped it, the machine may have run out of memory"


@dataclass(slots=True)
class _Running:
    reader: LineReader = field(default_factory=LineReader)
    pipes: dict[int, Stream] = field(default_factory=dict)
    pid: int | None = None


class LocalExecutor:
    """Starts attempts through a zygote: a fork each, or with `cold` a fresh interpreter each."""

    echoes = False

    def __init__(self, host: ZygoteHost, *, cold: bool) -> None:
        self._host, self._cold = host, cold
        self._running: dict[Attempt, _Running] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(host.socket, selectors.EVENT_READ)
        self._closed = False

    def submit(self, spec: TaskSpec) -> None:
        """Start an attempt. Raises ExecutorError if it cannot be started."""
        pipes = [_open_pipe() for _ in STREAMS]
        running = self._running[spec.attempt] = _Running()
        theirs = []
        for stream, (read_end, write_end) in zip(STREAMS, pipes, strict=True):
            os.set_blocking(read_end, False)
            running.pipes[read_end] = stream
            self._selector.register(read_end, selectors.EVENT_READ, spec.attempt)
            theirs.append(write_end)
        try:
            send(self._host.socket, Submit(spec, self._cold), theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def cancel(self, attempt: Attempt, *, grace_s: float) -> None:
        """Ask an attempt to stop, and kill it after `grace_s`. Unknown attempts are ignored."""
        if attempt in self._running:
            send(self._host.socket, Cancel(attempt, grace_s))

    def reattach(self, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
        """Return none: local attempts end with the runner that started them."""
        return ()

    def wait(self, timeout_s: float) -> list[Exit | Output]:
        """Return what happened, waiting at most `timeout_s` for the first of it."""
        reports: list[Exit | Output] = []
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._host.socket:
                for message in self._host.channel.receive():
                    reports += self._heard(message)
                if self._host.channel.closed:
                    reports += self._lost()
            elif (attempt := key.data) in self._running:
                reports += self._read(attempt, key.fd)
        return reports

    def close(self) -> None:
        """Kill what still runs and release everything. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for attempt in list(self._running):
            self._release(attempt)
        self._selector.close()

    def _heard(self, message: Message) -> Iterable[Exit | Output]:
        match message:
            case Started(attempt, pid) if attempt in self._running:
                self._running[attempt].pid = pid
                return ()
            case Exited(attempt, status) if attempt in self._running:
                hint = told_status(status)
                return self._ended(attempt, f"{hint}; {OUT_OF_MEMORY}" if status == -9 else hint)
        return ()

    def _ended(self, attempt: Attempt, hint: str) -> list[Exit | Output]:
        """Read what the pipes still hold: it was written before the process ended."""
        reports: list[Exit | Output] = []
        running = self._running[attempt]
        for descriptor in list(running.pipes):
            # As much as a pipe can hold, and no more: something that outlives the step and goes
            # on writing must not hold up the run.
            for _ in range(MOST_READS):
                if descriptor in running.pipes:
                    reports += self._read(attempt, descriptor)
        reports += _outputs(attempt, running.reader.finish())
        self._release(attempt)
        return [*reports, Exit(attempt, hint)]

    def _read(self, attempt: Attempt, descriptor: int) -> list[Exit | Output]:
        running = self._running[attempt]
        try:
            data = os.read(descriptor, READ_SIZE)
        except BlockingIOError:
            return []
        if not data:
            self._close_pipe(running, descriptor)
            return []
        return list(_outputs(attempt, running.reader.feed(running.pipes[descriptor], data)))

    def _close_pipe(self, running: _Running, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        del running.pipes[descriptor]

    def _release(self, attempt: Attempt) -> None:
        running = self._running.pop(attempt)
        for descriptor in list(running.pipes):
            self._close_pipe(running, descriptor)

    def _lost(self) -> Iterable[Exit | Output]:
        """The zygote died, and its children with it: begin anew with the next attempt."""
        self._selector.unregister(self._host.socket)
        reports: list[Exit | Output] = []
        for attempt, running in list(self._running.items()):
            if running.pid is not None:  # it could not kill what the step has started
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.pid, signal.SIGKILL)
            reports += self._ended(attempt, "the process that started it died")
        self._host.restart()
        self._selector.register(self._host.socket, selectors.EVENT_READ)
        return reports


def _open_pipe() -> tuple[int, int]:
    """Open a pipe; at the soft limit of open files, raise that to the hard one first."""
    try:
        return os.pipe()
    except OSError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return os.pipe()
    except OSError as error:
        raise ExecutorError(
            f"no pipe could be opened for a task: {error.strerror}",
            hint="let fewer tasks run at once with `--max-workers`, or raise `ulimit -n`",
        ) from error


def _outputs(attempt: Attempt, lines: Iterator[Line]) -> Iterator[Output]:
    return (Output(attempt, one.stream, one.time_s, one.text, one.ended) for one in lines)
