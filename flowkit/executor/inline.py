"""`InlineExecutor`: attempts one after the other in this process, so that breakpoints work."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import TextIO

from flowkit.executor.host import Choose, Given, as_it_is
from flowkit.masking import hidden
from flowkit.ports import Exit, Output
from flowkit.store import Store
from flowkit.values import Attempt, Digest, LoadOptions, RunId, StoreAddress, TaskSpec
from flowkit.worker import (
    UNCHANGEABLE,
    HookFailures,
    Line,
    LineReader,
    LoadedFlow,
    Stream,
    bind,
    call_exit_hooks,
    import_flow,
    read_flow,
    rebind,
    run_attempt,
)

Heard = Callable[[Stream, str], None]


class InlineHost:
    """The flow in this very process.

    Raises:
        FlowInvalid: the file cannot be imported, or the flow has faults.
        UsageError: the file has several flows, or none.
    """

    def __init__(self, file: str, name: str | None, *, choose: Choose = as_it_is) -> None:
        self._file, self._flow_class = file, import_flow(file, name)
        options = choose(self._flow_class.__name__)
        self._undecorated = self.loaded = read_flow(self._flow_class, file, options)
        self.description = self.loaded.description
        self._stores: dict[StoreAddress, Store] = {}

    def store(self, address: StoreAddress) -> Store:
        """Open a store, once."""
        if address not in self._stores:
            store = Store.open(address.url, sync=address.sync, verify=address.verify)
            self._stores[address] = store
        return self._stores[address]

    def bind(self, store: StoreAddress, given: Given, *, user: str) -> Digest:
        """Convert and keep parameters; returns their manifest. Raises UsageError."""
        opened = self.store(store)
        return bind(self.loaded, opened, given, user=user, ds_type=store.kind)

    def rebind(self, store: StoreAddress, earlier: Digest, given: Given) -> Digest:
        """Keep an earlier run's parameters but those given, with today's constants and configs."""
        return rebind(self.loaded, self.store(store), earlier, given)

    def decorate(self, specs: Sequence[str]) -> None:
        """Put `--with` options on the steps from now on; `description` tells of them."""
        self.loaded = self._undecorated.with_specs(specs)
        self.description = self.loaded.description

    def call_exit_hooks(self, run: RunId, *, succeeded: bool) -> HookFailures:
        """Call the flow's exit hooks for a run that has ended; returns those that raised."""
        return call_exit_hooks(self.loaded, run, succeeded=succeeded)

    def reread(self, options: LoadOptions) -> None:
        """Read the flow again, with other configs. Raises what opening it would."""
        self._undecorated = self.loaded = read_flow(self._flow_class, self._file, options)
        self.description = self.loaded.description

    def close(self) -> None:
        """Nothing to end."""


class InlineExecutor:
    """Runs one attempt in each `wait`. What steps print is shown at once, and kept.

    Only what goes through Python's `sys.stdout` and `sys.stderr` is kept.
    """

    echoes = True

    def __init__(self, host: InlineHost) -> None:
        self._host = host
        self._waiting: deque[TaskSpec] = deque()
        self._reports: list[Exit | Output] = []

    def submit(self, spec: TaskSpec) -> None:
        """Put an attempt in the queue."""
        self._waiting.append(spec)

    def cancel(self, attempt: Attempt, *, grace_s: float) -> None:
        """Take an attempt out of the queue; one that runs cannot be stopped from here."""
        for spec in list(self._waiting):
            if spec.attempt == attempt:
                self._waiting.remove(spec)
                self._reports.append(Exit(attempt, "cancelled before it started"))

    def reattach(self, attempts: Sequence[Attempt]) -> Sequence[Attempt]:
        """Return none: inline attempts end with their process."""
        return ()

    def wait(self, timeout_s: float) -> list[Exit | Output]:
        """Run the next attempt and return what it printed and that it ended."""
        if not self._reports and self._waiting:
            self._run(self._waiting.popleft())
        elif not self._reports and timeout_s > 0:
            time.sleep(timeout_s)
        reports, self._reports = self._reports, []
        return reports

    def close(self) -> None:
        """Forget what was queued. May be called twice."""
        self._waiting.clear()

    def _run(self, spec: TaskSpec) -> None:
        reader = LineReader(mask=hidden)

        def keep(lines: Iterator[Line]) -> None:
            self._reports += [
                Output(spec.attempt, one.stream, one.time_s, one.text, one.ended) for one in lines
            ]

        def heard(stream: Stream, text: str) -> None:
            keep(reader.add(stream, time.time(), text.encode("utf-8", "backslashreplace")))

        try:
            with (
                _tee("stdout", heard),
                _tee("stderr", heard),
                _own_constants(self._host.loaded),
            ):
                run_attempt(self._host.loaded, spec, self._host.store(spec.store))
        finally:
            # Also after Ctrl-C: the attempt has ended, and its runner has to learn of it.
            keep(reader.finish())
            self._reports.append(Exit(spec.attempt))


@contextmanager
def _own_constants(loaded: LoadedFlow) -> Iterator[None]:
    """Give an attempt the flow's constants as copies: what it does to them ends with it.

    In a process of its own it could not change another's either.
    """
    flow_class = loaded.flow_class
    own = dict(vars(flow_class))
    replaced = []
    for name in loaded.description.constants:
        value = getattr(flow_class, name)
        if type(value) not in UNCHANGEABLE:
            with suppress(Exception):  # copying runs code of the user's; a constant may refuse
                setattr(flow_class, name, deepcopy(value))
                replaced.append(name)
    try:
        yield
    finally:
        for name in replaced:
            if name in own:
                setattr(flow_class, name, own[name])
            else:
                delattr(flow_class, name)


class _Tee(io.TextIOBase):
    """Shows text on a stream, with secrets masked, and tells somebody of it."""

    def __init__(self, stream: TextIO, name: Stream, heard: Heard) -> None:
        self._stream, self._name, self._heard = stream, name, heard
        self._held = b""
        """The end of what was written, if a secret may begin there: the next write will tell."""

    def write(self, text: str) -> int:
        self._heard(self._name, text)
        shown = text
        if hidden:
            data = self._held + text.encode("utf-8", "surrogatepass")
            told, self._held = hidden.split(data)
            shown = told.decode("utf-8", "surrogatepass")
        self._stream.write(shown)
        self._stream.flush()
        return len(text)

    def release(self) -> None:
        """Show what was held back: nothing more comes."""
        if self._held:
            self._stream.write(self._held.decode("utf-8", "surrogatepass"))
            self._held = b""

    def flush(self) -> None:
        self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


@contextmanager
def _tee(name: Stream, heard: Heard) -> Iterator[None]:
    before = getattr(sys, name)
    tee = _Tee(before, name, heard)
    setattr(sys, name, tee)
    try:
        yield
    finally:
        tee.release()
        setattr(sys, name, before)
