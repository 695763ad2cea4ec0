"""Work in a forked child: whatever becomes of it, this process goes on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Callable

from flowkit.errors import FlowkitError
from flowkit.native import die_with_parent
from flowkit.wording import told_status

LAST_BREATH_S = 1.0


class ChildFailed(FlowkitError):
    """The child raised, died, or took too long."""


def start_child(work: Callable[[], None]) -> int:
    """Fork a child that calls `work` and ends; returns its process id."""
    with warnings.catch_warnings():
        # Python warns of threads; a child that hangs because of one is killed at its time limit.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD):
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(one, signal.SIG_DFL)
        die_with_parent()
        work()
        status = 0
    except BaseException as error:  # a child must never go on as its parent
        with contextlib.suppress(Exception):
            print(f"flowkit: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(status)


def run_in_child(make: Callable[[], bytes], *, limit_s: float | None = None) -> bytes:
    """Return what `make` returns in a child.

    Raises:
        ChildFailed: the child raised, died, or took longer than `limit_s` seconds, if given.
    """
    reading, writing = os.pipe()

    def work() -> None:
        os.close(reading)
        try:
            answer = b"+" + make()
        except BaseException as error:  # anything may be raised by code of users
            answer = b"-" + f"{type(error).__name__}: {error}".encode(errors="replace")
        with open(writing, "wb") as out:
            out.write(answer)

    pid = status = 0
    answer = None
    try:
        pid = start_child(work)
        os.close(writing)
        writing = -1
        answer = _read_all(reading, None if limit_s is None else time.monotonic() + limit_s)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
        if pid:
            # One that has said all it will is about to end: how, is known a moment later.
            status = end_child(pid, patience_s=0.0 if answer is None else LAST_BREATH_S)
    if answer is None:
        raise ChildFailed(f"it took longer than {limit_s:g} s")
    if answer[:1] != b"+":
        said = answer[1:].decode(errors="replace")
        raise ChildFailed(said or f"its process died: {told_status(status)}")
    return answer[1:]


def end_child(pid: int, *, patience_s: float = 0.0) -> int:
    """Kill a child that has not ended after `patience_s`, and let the system forget it.

    Returns its status, as `os.waitstatus_to_exitcode` gives it.
    """
    deadline = time.monotonic() + patience_s
    with contextlib.suppress(ChildProcessError):  # somebody else has waited for it
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.001)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 0


def has_ended(pid: int) -> bool:
    """Say whether a child has ended; the system forgets it then."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:  # somebody else has waited for it
        return True


def _read_all(descriptor: int, deadline: float | None) -> bytes | None:
    """Read to the end; None if that does not come in time."""
    parts: list[bytes] = []
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            return None
        part = os.read(descriptor, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
