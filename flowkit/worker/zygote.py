"""The process that imports a user's flow once and starts its attempts.

It answers to one driver over one socket, runs no threads, and ends when the driver does. Each
attempt is forked from it; or, where that would be unsafe or is not wanted, started cold: a new
interpreter that imports the flow again. Cold is the reference for what an attempt sees.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import NoReturn

from msgspec.structs import replace

from flowkit import wire
from flowkit.errors import ExecutorError, FlowkitBug, FlowkitError
from flowkit.graph import FlowFaults
from flowkit.native import die_with_parent
from flowkit.store import Store
from flowkit.values import LoadOptions, StoreAddress, TaskSpec
from flowkit.worker.attempt import run_attempt
from flowkit.worker.binding import bind, rebind
from flowkit.worker.children import Children
from flowkit.worker.ending import end_without, threads_to_wait_for
from flowkit.worker.exit_hooks import call_exit_hooks_in_children
from flowkit.worker.failure import failure_of
from flowkit.worker.hazards import unsafe_to_fork
from flowkit.worker.imports import project_imports
from flowkit.worker.inherited import Inherited
from flowkit.worker.libc import flush_streams, outlive_parent
from flowkit.worker.loading import (
    FlowNotImportable,
    LoadedFlow,
    import_flow,
    load_flow,
    read_flow,
)
from flowkit.worker.messages import (
    Bind,
    Bound,
    CallExitHooks,
    Cancel,
    Channel,
    ColdStart,
    Decorate,
    Described,
    Exited,
    ExitHooksCalled,
    Imported,
    Message,
    Read,
    Refused,
    Started,
    Submit,
    send,
)
from flowkit.worker.open_files import ImportedFiles
from flowkit.worker.output import capture
from flowkit.worker.randomness import ImportedRandomness
from flowkit.worker.rehearsal import rehearse
from flowkit.worker.signals import ImportedSignals

EXIT_NOT_COMMITTED = 4
REHEARSE_AT = 16
"""The fork before which the zygote rehearses: a flow of a few steps would not gain its cost."""


def serve(channel: socket.socket, file: str, name: str | None) -> int:
    """Read the flow, then start attempts until the driver hangs up. Returns an exit code."""
    randomness, signals, inherited = ImportedRandomness(), ImportedSignals(), Inherited()
    try:
        flow_class = import_flow(file, name)
        send(channel, Imported(flow_class.__name__))
        options = _told_options(channel)
        if options is None:  # the driver is gone
            return 0
        loaded = read_flow(flow_class, file, options)
    except FlowkitError as error:
        send(channel, refusal(error))
        return error.exit_code
    randomness.settle()
    zygote = Zygote(channel, loaded, randomness, signals, inherited)
    send(channel, zygote.described())
    if "flowkit.table" in sys.modules:
        # The flow uses tables: children find imported what each would take a second to import.
        from flowkit.table import preload

        preload()
    # Imported objects are shared with the children for good: a child that collects garbage
    # would otherwise copy every page of them.
    gc.collect()
    gc.freeze()
    zygote.run()
    return 0


def _told_options(channel: socket.socket) -> LoadOptions | None:
    """Wait to be told how to read the flow; None if the driver hangs up."""
    answers = Channel(channel)
    messages = answers.receive()
    while not messages and not answers.closed:
        messages = answers.receive()
    if not messages:
        return None
    (message,) = messages
    if not isinstance(message, Read):
        raise FlowkitBug(f"a driver began with {type(message).__name__}")
    return message.options


def refusal(error: FlowkitError) -> Refused:
    """Describe an error so that the driver can raise it again."""
    if isinstance(error, FlowFaults):
        return Refused(failure_of(error), error.exit_code, error.flow, error.faults)
    failure = error.failure if isinstance(error, FlowNotImportable) else failure_of(error)
    return Refused(failure, error.exit_code)


class Zygote:
    """Starts, stops and buries the processes of attempts."""

    def __init__(
        self,
        channel: socket.socket,
        loaded: LoadedFlow,
        randomness: ImportedRandomness,
        signals: ImportedSignals,
        inherited: Inherited,
    ) -> None:
        self._channel = Channel(channel)
        self._undecorated = self._loaded = loaded
        self._specs: tuple[str, ...] = ()
        self._randomness, self._signals, self._files = randomness, signals, ImportedFiles()
        self._inherited = inherited
        self._children = Children()
        self._forks = 0
        self._stores: dict[StoreAddress, Store] = {}
        self._unsafe_to_fork = unsafe_to_fork()
        self._wake_reader, self._wake_writer = socket.socketpair()
        # Not an epoll, which is what is looked for as a sign of the flow's own event loops.
        self._selector = selectors.PollSelector()

    def described(self) -> Described:
        """Return the flow as data, with what is to be known of this process."""
        description = self._loaded.description
        return Described(replace(description, unsafe_to_fork=self._unsafe_to_fork))

    def run(self) -> None:
        """Serve until the driver's end of the socket is closed, then kill what still runs."""
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._signals.put_aside(self._wake_writer.fileno())
        # What importing has left in buffers would be printed by every child.
        flush_streams()
        # Killed together with its driver, it could not kill what steps have started.
        outlive_parent()
        self._selector.register(self._channel.socket, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        try:
            self._loop()
        except ExecutorError:
            pass  # the driver is gone, which is how this ends
        finally:
            signal.set_wakeup_fd(-1)  # nobody reads any more that children end
            self._children.kill()
            self._hang_up()

    def _hang_up(self) -> None:
        """Let go of what connects this process to its driver."""
        self._channel.socket.close()
        self._wake_reader.close()
        self._wake_writer.close()
        self._selector.close()

    def _loop(self) -> None:
        while not self._channel.closed:
            for key, _ in self._selector.select(self._children.patience_s()):
                if key.fileobj is self._wake_reader:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_reader.recv(4096)
                else:
                    for message in self._channel.receive():
                        self._obey(message)
            for attempt, code in self._children.bury():
                send(self._channel.socket, Exited(attempt, code))
            self._children.kill_overdue()

    def _obey(self, message: Message) -> None:
        match message:
            case Submit(spec, cold):
                stdout, stderr = self._channel.take_descriptors(2)
                self._start(spec, cold=cold, stdout=stdout, stderr=stderr)
            case Cancel(attempt, grace_s):
                self._children.cancel(attempt, grace_s)
            case Bind():
                self._bind(message)
            case CallExitHooks(run, succeeded):
                failed = call_exit_hooks_in_children(self._loaded, run, succeeded=succeeded)
                send(self._channel.socket, ExitHooksCalled(failed))
            case Decorate(specs):
                self._decorate(specs)
            case _:
                raise FlowkitBug(f"a driver sent {type(message).__name__} to a zygote")

    def _bind(self, request: Bind) -> None:
        try:
            store = self._open_store(request.store)
            if request.earlier is not None:
                parameters = rebind(self._loaded, store, request.earlier, request.given)
            else:
                parameters = bind(
                    self._loaded,
                    store,
                    request.given,
                    user=request.user,
                    ds_type=request.store.kind,
                )
        except FlowkitError as error:
            send(self._channel.socket, refusal(error))
        else:
            self._look_again("a parameter")
            send(self._channel.socket, Bound(parameters, self._unsafe_to_fork))

    def _look_again(self, cause: str) -> None:
        """See whether more of the user's code has done what no fork survives."""
        self._unsafe_to_fork = self._unsafe_to_fork or unsafe_to_fork(
            cause, own=self._children.pids
        )

    @property
    def _cold_options(self) -> LoadOptions:
        """How a fresh interpreter is to read the flow: as it was read here."""
        # Configs as they were read once: files, and what parsers return, may differ by now.
        return LoadOptions(kept=self._loaded.description.config_values, specs=self._specs)

    def _decorate(self, specs: tuple[str, ...]) -> None:
        try:
            self._loaded = self._undecorated.with_specs(specs)
        except FlowkitError as error:
            send(self._channel.socket, refusal(error))
        else:
            self._specs = specs
            self._look_again("a decorator of `--with`")
            send(self._channel.socket, self.described())

    def _open_store(self, address: StoreAddress) -> Store:
        if address not in self._stores:
            self._stores[address] = open_store(address)
        return self._stores[address]

    def _start(self, spec: TaskSpec, *, cold: bool, stdout: int, stderr: int) -> None:
        store = self._open_store(spec.store)
        if not cold:
            self._prepare(spec, store)
        with warnings.catch_warnings():
            # Python warns of threads that it counts in the whole process, among them those of
            # numerical libraries, which do survive; real hazards were looked for on import.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            self._become_attempt(spec, store, cold=cold, stdout=stdout, stderr=stderr)
        os.close(stdout)
        os.close(stderr)
        self._children.add(pid, spec.attempt)
        send(self._channel.socket, Started(spec.attempt, pid))

    def _prepare(self, spec: TaskSpec, store: Store) -> None:
        """Do before the fork, once for all siblings, what each would do in its own memory."""
        self._forks += 1
        if self._forks == REHEARSE_AT:
            with contextlib.suppress(FlowkitError, OSError):  # then children do without
                rehearse()
            gc.collect()
            gc.freeze()
        # What cannot be read is for the attempt to say, whose failure it is.
        with contextlib.suppress(FlowkitError):
            for digest in (spec.parameters, *(frame.items for frame in spec.frames)):
                store.manifest(digest)

    def _become_attempt(
        self, spec: TaskSpec, store: Store, *, cold: bool, stdout: int, stderr: int
    ) -> NoReturn:
        status = EXIT_NOT_COMMITTED
        try:
            os.setpgid(0, 0)
            die_with_parent()
            signal.set_wakeup_fd(-1)
            self._hang_up()
            if cold:
                self._signals.reset()
                self._inherited.put_back()
                start = ColdStart(spec, self._cold_options, project_imports.sources)
                environ = self._inherited.environ
                _exec_cold(self._loaded, start, stdout, stderr, environ=environ)
            capture(stdout, stderr)
            os.close(stdout)
            os.close(stderr)
            self._randomness.renew()
            self._files.reopen()
            self._signals.restore()
            # What importing registered is the zygote's: it may remove files that siblings need.
            atexit._clear()
            status = run_and_report(self._loaded, spec, store)
            # As when an interpreter ends: threads are waited for, then come the step's own exits.
            threading._shutdown()  # type: ignore[attr-defined]  # as multiprocessing's forks do
            atexit._run_exitfuncs()
        except BaseException as error:  # whatever it is, a child must not go on as a zygote
            print(failure_of(error).traceback, file=sys.stderr)
            if isinstance(error, KeyboardInterrupt):
                status = -signal.SIGINT
        finally:
            self._files.flush()
            flush_streams()
            _end(status)


def run_and_report(loaded: LoadedFlow, spec: TaskSpec, store: Store) -> int:
    """Run an attempt; returns the exit code of its process.

    A result says more than the code: it only tells people and process tables how it went.
    """
    try:
        result = run_attempt(loaded, spec, store)
    except FlowkitError as error:
        print(f"flowkit: {error.message}", file=sys.stderr)
        return EXIT_NOT_COMMITTED
    return 0 if result.status == "succeeded" else 1


def run_cold(file: str, spec_descriptor: int) -> int:
    """Run one attempt in this fresh interpreter, as its spec says. Returns an exit code."""
    with os.fdopen(spec_descriptor, "rb") as spec_file:
        spec_file.seek(0)
        submit = wire.decode(ColdStart, spec_file.read(), name="task spec")
    project_imports.take(submit.sources)
    try:
        loaded = load_flow(file, submit.spec.run.flow, submit.options)
        imported = threads_to_wait_for()
        store = open_store(submit.spec.store)
    except FlowkitError as error:
        print(f"flowkit: {error.message}", file=sys.stderr)
        return error.exit_code
    return end_without(imported, run_and_report(loaded, submit.spec, store))


def open_store(address: StoreAddress) -> Store:
    """Open the store that a spec names."""
    return Store.open(address.url, sync=address.sync, verify=address.verify)


def _exec_cold(
    loaded: LoadedFlow,
    start: ColdStart,
    stdout: int,
    stderr: int,
    *,
    environ: Mapping[str, str],
) -> NoReturn:
    """Become a fresh interpreter; the spec travels in an unnamed file."""
    import tempfile

    with tempfile.TemporaryFile() as spec_file:
        spec_file.write(wire.encode(start))
        spec_file.flush()
        descriptor = os.dup(spec_file.fileno())
    for inherited in (descriptor, stdout, stderr):
        os.set_inheritable(inherited, True)
    entry = os.path.join(os.path.dirname(__file__), "__main__.py")
    command = ["attempt", loaded.description.file, *map(str, (descriptor, stdout, stderr))]
    os.execve(sys.executable, [sys.executable, "-u", "-P", entry, *command], environ)


def _end(status: int) -> NoReturn:
    """End this process at once; with a negative status by that signal, as an interrupt does."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(EXIT_NOT_COMMITTED if status < 0 else status)
