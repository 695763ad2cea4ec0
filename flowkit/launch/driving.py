"""A run that is driven on a thread of its own in this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakSet

from msgspec.structs import replace

from flowkit.client import Workspace, open_workspace
from flowkit.errors import FlowkitError
from flowkit.launch.bell import Bell
from flowkit.launch.following import Tape, Transcript
from flowkit.launch.options import Place
from flowkit.launch.parameter_texts import texts_of
from flowkit.launch.talk import Talk
from flowkit.records import RunEnd
from flowkit.runner import (
    FlowSession,
    FlowSource,
    Idled,
    Printed,
    Resumes,
    RunBegan,
    RunEnded,
    RunFact,
    RunOptions,
    SpinOptions,
    Spun,
    StopSwitch,
    open_session,
    told,
)
from flowkit.settings import Settings
from flowkit.values import LoadOptions, RunId

Stream = Literal["stdout", "stderr"]
OnLine = Callable[[Stream, str], None]

MOST_EVENTS = 100_000
"""How many of a run's events are kept for those who begin to follow late."""
LAST_WAIT_S = 5.0
"""How long a process that ends waits for its runs to stop, before it kills them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run: a flow, and how. With `resumes`, an earlier run; with `spins`, a step."""

    source: FlowSource
    settings: Settings
    place: Place
    parameters: Mapping[str, object] = field(default_factory=dict)
    options: RunOptions = field(default_factory=RunOptions)
    load: LoadOptions = field(default_factory=LoadOptions)
    resumes: Resumption | None = None
    spins: SpinOptions | None = None

    @property
    def earlier(self) -> Resumes | None:
        """The earlier run that it starts from, if it does."""
        if self.spins is not None:
            return Resumes(self.spins.target.run)
        return Resumes(self.resumes.origin) if self.resumes is not None else None


@dataclass(frozen=True, slots=True)
class Resumption:
    """Which run is resumed, by default the latest one, and the step to run anew."""

    origin: str | None = None
    step: str | None = None


class Driving:
    """Drives one run, and keeps what it tells for any thread to read.

    The thread that drives is the one that starts the flow's process: that process dies with it.
    """

    def __init__(self, order: Order, *, on_line: OnLine | None = None) -> None:
        self._order, self._on_line = order, on_line
        self._stop = StopSwitch()
        self._thread: threading.Thread | None = None
        self.bell = Bell()
        self.events: Tape[RunFact] = Tape(self.bell, most=MOST_EVENTS)
        self.texts: dict[Stream, Transcript] = {
            "stdout": Transcript(self.bell),
            "stderr": Transcript(self.bell),
        }
        self.workspace: Workspace | None = None
        self.run_id: RunId | None = None
        self.end: RunEnd | None = None
        self.spun: Spun | None = None
        self.error: BaseException | None = None
        self.is_over = False

    @property
    def settings(self) -> Settings:
        """The settings that hold for the run."""
        return self._order.settings

    @property
    def has_begun(self) -> bool:
        """Whether there is a run, or none will come."""
        return self.run_id is not None or self.is_over

    def start(self) -> None:
        """Begin to drive, on a thread that does not keep the process from ending."""
        name = f"flowkit-{os.path.basename(self._order.source.file)}"
        self._thread = threading.Thread(target=self.drive, name=name, daemon=True)
        _note(self)
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to stop. Asked twice, what has not stopped is killed. Does not wait."""
        self._stop.ask()

    def close(self) -> None:
        """Stop the run if it still goes on, and wait until nothing is left of it."""
        if not self.is_over:
            self.stop()
        if self._thread is not None:
            self._thread.join()

    def wait(self, holds: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait in this thread until something holds of the run; returns whether it does."""
        return self.bell.wait(holds, timeout_s)

    def drive(self) -> None:
        """Drive the run in this thread to its end, whatever that is."""
        try:
            with Talk() as talk:
                try:
                    self._drive(talk)
                finally:
                    self._take(talk, all_of_it=True)
        except BaseException as error:  # it is raised again where the run is waited for
            self.error = error
            if isinstance(error, FlowkitError):
                self._write("stderr", f"error: {error.message}", is_shown=True)
                if error.hint:
                    self._write("stderr", f"hint: {error.hint}", is_shown=True)
        finally:
            self.is_over = True
            self.events.end()
            for text in self.texts.values():
                text.end()
            self.bell.ring()

    def _drive(self, talk: Talk) -> None:
        order = self._order
        is_inline = order.settings.executor == "inline" and order.place.is_here
        # Not closed here: the client's views of the run, which outlive it, read from it.
        self.workspace = open_workspace(order.settings)
        with open_session(
            order.source,
            order.settings,
            workspace=self.workspace,
            surroundings=None if is_inline else order.place.surroundings(talk.descriptor),
            stop=self._stop,
            load=order.load,
            resumes=order.earlier,
        ) as session:
            self.end = self._run(session, talk)

    def _run(self, session: FlowSession, talk: Talk) -> RunEnd:
        def heard(fact: RunFact) -> None:
            self._take(talk)
            self._heard(fact)

        if self._order.spins is not None:
            self.spun = session.spin(self._order.spins, heard)
            return self.spun.end
        texts = texts_of(session.description.parameters, self._order.parameters)
        options, resumes = replace(self._order.options, parameters=texts), self._order.resumes
        if resumes is not None:
            return session.resume(options, heard, step=resumes.step, origin=resumes.origin)
        return session.run(options, heard)

    def _heard(self, fact: RunFact) -> None:
        if isinstance(fact, Idled):
            return
        if isinstance(fact, RunBegan):
            self.run_id = fact.record.run
        self.events.add(fact)
        is_told = isinstance(fact, Printed) or not self._is_quiet
        if self._order.spins is not None and isinstance(fact, RunBegan | RunEnded):
            is_told = False  # a spin is no run
        is_shown = isinstance(fact, Printed) and fact.is_shown
        for stream, line in told(fact) if is_told else ():
            self._write(stream, line, is_shown=is_shown)
        self.bell.ring()

    @property
    def _is_quiet(self) -> bool:
        return self._order.settings.quiet or self._order.settings.progress == "off"

    def _write(self, stream: Stream, line: str, *, is_shown: bool = False) -> None:
        self.texts[stream].write(line + "\n")
        if self._on_line is not None and not is_shown:
            self._on_line(stream, line)

    def _take(self, talk: Talk, *, all_of_it: bool = False) -> None:
        for line in talk.lines(all_of_it=all_of_it):
            self._write("stderr", line)


_driven: WeakSet[Driving] = WeakSet()
_lock = threading.Lock()
_is_noted = False


def _note(driving: Driving) -> None:
    """See to it that a process which ends in good order leaves no run behind."""
    global _is_noted
    with _lock:
        _driven.add(driving)
        if not _is_noted:
            atexit.register(_stop_all, os.getpid())
            _is_noted = True


def _stop_all(pid: int) -> None:
    if os.getpid() != pid:  # a fork, in which nothing is driven
        return
    with _lock:
        goes_on = [one for one in _driven if not one.is_over]
    for _ in range(2):
        for one in goes_on:
            one.stop()
        for one in goes_on:
            one.wait(lambda run=one: run.is_over, LAST_WAIT_S)  # type: ignore[misc]
