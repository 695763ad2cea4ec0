"""Hosts of a flow: what knows the user's code on behalf of a driver that never imports it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NoReturn, Protocol
from weakref import WeakSet

from msgspec.structs import replace

import flowkit.worker
from flowkit.errors import ExecutorError, FlowInvalid, FlowkitBug, FlowkitError, UsageError
from flowkit.executor.surroundings import Surroundings
from flowkit.graph import FlowDescription, FlowFaults
from flowkit.values import Digest, LoadOptions, RunId, StoreAddress
from flowkit.wording import told_status
from flowkit.worker import (
    Bind,
    Bound,
    CallExitHooks,
    Channel,
    Decorate,
    Described,
    Exited,
    ExitHooksCalled,
    HookFailures,
    Imported,
    Message,
    Read,
    Refused,
    Started,
    send,
)

Given = Mapping[str, str | list[str]]
Choose = Callable[[str], LoadOptions]
"""Says how a flow is to be read, once its file was imported and its name is known."""


def as_it_is(_flow: str) -> LoadOptions:
    """Read a flow by its environment and its defaults alone."""
    return LoadOptions()


LOOK_UP_S = 0.1
"""How often, while a flow is being read, to ask whether that is still wanted."""


class Abandoned(ExecutorError):
    """Whoever wanted a flow to be read wants it no more."""

    exit_code = 130


class FlowHost(Protocol):
    """Imports a flow, describes it, and turns text into its parameters."""

    description: FlowDescription

    def bind(self, store: StoreAddress, given: Given, *, user: str) -> Digest:
        """Convert and keep parameters; returns their manifest. Raises UsageError."""

    def rebind(self, store: StoreAddress, earlier: Digest, given: Given) -> Digest:
        """Keep an earlier run's parameters, but those given, with constants and configs of today.

        Raises:
            UsageError: a value does not fit, or names no parameter.
        """

    def decorate(self, specs: Sequence[str]) -> None:
        """Put `--with` options on the steps from now on; `description` tells of them.

        Raises:
            UsageError: a spec cannot be used.
            FlowInvalid: a mutator raised, or the flow has faults now.
        """

    def call_exit_hooks(self, run: RunId, *, succeeded: bool) -> HookFailures:
        """Call the flow's exit hooks for a run that has ended; returns those that raised."""

    def reread(self, options: LoadOptions) -> None:
        """Read the flow again, with other configs. Raises what opening it would."""

    def close(self) -> None:
        """End the host. May be called twice."""


class ZygoteHost:
    """The flow in a process of its own, which can fork attempts.

    Raises:
        FlowInvalid: the file cannot be imported, or the flow has faults.
        UsageError: the file has several flows, or none.
        ExecutorError: the process could not be started.
        Abandoned: so said `is_abandoned`, which is asked again and again meanwhile.
    """

    def __init__(
        self,
        file: str,
        name: str | None,
        *,
        environ: Mapping[str, str],
        surroundings: Surroundings,
        is_abandoned: Callable[[], bool],
        choose: Choose = as_it_is,
    ) -> None:
        self._file, self._name, self._environ = file, name, environ
        self._specs: tuple[str, ...] = ()
        self._around, self._is_abandoned = surroundings, is_abandoned
        self._start(choose)

    def _start(self, choose: Choose) -> None:
        ours, theirs = socket.socketpair()
        entry = os.path.join(os.path.dirname(flowkit.worker.__file__), "__main__.py")
        name = [self._name] if self._name else []
        command = [sys.executable, "-u", "-P", entry, "zygote", str(theirs.fileno()), self._file]
        around = self._around
        base = os.environ if around.environ is None else around.environ
        try:
            self._process = subprocess.Popen(
                [*command, *name],
                pass_fds=[theirs.fileno()],
                env={**base, **self._environ},
                cwd=around.cwd,
                stdin=subprocess.DEVNULL,
                stdout=_talk() if around.talk is None else around.talk,
                stderr=around.talk,
                # Ctrl-C at the terminal is for the driver: it decides what stops and how.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ExecutorError(
                f"no process could be started: {error.strerror}",
                hint="look at the limits of processes and memory of this machine",
            ) from error
        finally:
            theirs.close()
        _keep_to_this_process(ours)
        self.channel = Channel(ours)
        self._heard: deque[Message] = deque()
        try:
            answer = self._answer()
            if isinstance(answer, Imported):
                send(self.socket, Read(choose(answer.flow)))
                answer = self._answer()
            if not isinstance(answer, Described):
                raise FlowkitBug(f"a zygote began with {type(answer).__name__}")
        except (
            BaseException
        ):  # also Ctrl-C: what is being imported may take long, and hears nothing
            self._kill()
            raise
        self.description = answer.description

    @property
    def socket(self) -> socket.socket:
        """The driver's end of the channel."""
        return self.channel.socket

    def bind(self, store: StoreAddress, given: Given, *, user: str) -> Digest:
        """Convert and keep parameters; returns their manifest. Raises UsageError."""
        _check_texts(given)
        return self._bound(Bind(store, user, given))

    def rebind(self, store: StoreAddress, earlier: Digest, given: Given) -> Digest:
        """Keep an earlier run's parameters but those given, with today's constants and configs."""
        _check_texts(given)
        return self._bound(Bind(store, "", given, earlier=earlier))

    def decorate(self, specs: Sequence[str]) -> None:
        """Put `--with` options on the steps from now on; `description` tells of them."""
        self._specs = tuple(specs)
        send(self.socket, Decorate(self._specs))
        answer = self._answer()
        if not isinstance(answer, Described):
            raise FlowkitBug(f"a zygote answered {type(answer).__name__} to decorators")
        self.description = answer.description

    def call_exit_hooks(self, run: RunId, *, succeeded: bool) -> HookFailures:
        """Call the flow's exit hooks for a run that has ended; returns those that raised."""
        send(self.socket, CallExitHooks(run, succeeded))
        answer = self._answer()
        # What is left to hear of attempts that were cut off matters to nobody any more.
        while isinstance(answer, Started | Exited):
            answer = self._answer()
        if not isinstance(answer, ExitHooksCalled):
            raise FlowkitBug(f"a zygote answered {type(answer).__name__} to a call of exit hooks")
        return answer.failed

    def restart(self) -> None:
        """Start again after the process died, with the same decorators and configs."""
        self.reread(LoadOptions(kept=self.description.config_values))
        if self._specs:
            self.decorate(self._specs)

    def reread(self, options: LoadOptions) -> None:
        """Read the flow again, in a new process. Raises what opening it would."""
        self.close()
        self._start(lambda _: options)

    def close(self) -> None:
        """Hang up; the process kills its children and ends. May be called twice."""
        self.socket.close()
        if self._process.returncode is not None:
            return
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._kill()
        self._end_group()

    def _end_group(self) -> None:
        """Kill what importing the flow left running: it goes with its process, as a step's does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _kill(self) -> None:
        self.socket.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _bound(self, request: Bind) -> Digest:
        send(self.socket, request)
        answer = self._answer()
        if not isinstance(answer, Bound):
            raise FlowkitBug(f"a zygote answered {type(answer).__name__} to a binding")
        self.description = replace(self.description, unsafe_to_fork=answer.unsafe_to_fork)
        return answer.parameters

    def _answer(self) -> Message:
        """Wait for the answer to a question; only one is open at a time, and no attempt runs."""
        poll = select.poll()  # which, other than `select`, knows no largest descriptor
        poll.register(self.socket, select.POLLIN)
        while not self._heard:
            while not poll.poll(LOOK_UP_S * 1000):
                if self._is_abandoned():
                    self._kill()  # it is in the user's code, and would not hear of a hang-up
                    raise Abandoned("the run was stopped while the flow was being asked")
            self._heard += self.channel.receive()
            if self.channel.closed and not self._heard:
                self._explain_death()
        answer = self._heard.popleft()
        if isinstance(answer, Refused):
            _raise(self._file, answer)
        return answer

    def _explain_death(self) -> NoReturn:
        status = self._process.wait()
        self._end_group()
        self.socket.close()
        raise FlowInvalid(
            f"importing `{self._file}` ended the process: {told_status(status)}",
            hint=f"`python {os.path.basename(self._file)}` should show the same",
        )


_channels: WeakSet[socket.socket] = WeakSet()


def _keep_to_this_process(channel: socket.socket) -> None:
    """Have forks of this process let go of a channel: a zygote ends when it is hung up."""
    _channels.add(channel)
    _watch_forks()


@cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    for channel in list(_channels):
        channel.close()


def _check_texts(given: Given) -> None:
    for name, value in given.items():
        _check_text(name, value)


def _check_text(name: str, value: str | list[str]) -> None:
    """Refuse bytes that a command line holds as lone surrogates. Raises UsageError."""
    try:
        "".join(value).encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the value of parameter `{name}` is no UTF-8 text", hint="write it in UTF-8"
        ) from error


def _talk() -> int | None:
    """Where import-time prints go: to stderr, since stdout is for a command's data."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _raise(file: str, refused: Refused) -> NoReturn:
    """Raise again, in the driver, what the host's process refused with."""
    failure = refused.failure
    if refused.faults:
        raise FlowFaults(refused.flow, refused.faults, file=os.path.basename(file))
    if failure.traceback and refused.exit_code == FlowInvalid.exit_code and failure.where:
        raise flowkit.worker.FlowNotImportable(file, failure)
    kinds = {UsageError.exit_code: UsageError, FlowInvalid.exit_code: FlowInvalid}
    kind = kinds.get(refused.exit_code, ExecutorError)
    error: FlowkitError = kind(failure.message, hint=failure.hint)
    raise error
