"""Whether the driver of a run is alive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from flowkit.metadata import liveness, may_be_driven
from flowkit.metadata.liveness import is_alive
from flowkit.records import RunRecord

Make = Callable[..., RunRecord]

HOST = socket.gethostname()
LONG = timedelta(minutes=10)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@on_linux
def test_a_driver_that_is_silent_but_there_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SILENCE", timedelta(seconds=-1))
    now = datetime.now(UTC)
    assert is_alive(now, host=HOST, pid=os.getpid())
    assert not is_alive(now, host="elsewhere", pid=os.getpid())


@on_linux
def test_another_process_that_was_given_the_number_is_not_the_driver(record: Make) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    assert not is_alive(long_ago, host=HOST, pid=os.getpid())
    # A clock that was set would look the same, and here a mistake would cost data.
    assert may_be_driven(record(1, started_at=long_ago, host=HOST, pid=os.getpid()), None)


@on_linux
def test_a_dead_driver_that_nobody_waited_for_is_dead(record: Make) -> None:
    with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as process:
        now = datetime.now(UTC)
        assert process.stdout is not None
        process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(now, host=HOST, pid=process.pid)
        assert not may_be_driven(record(1, started_at=now, host=HOST, pid=process.pid), now)


def test_a_driver_elsewhere_is_known_by_its_signs_of_life() -> None:
    now = datetime.now(UTC)
    assert is_alive(now, host="elsewhere", pid=1)
    assert not is_alive(now - LONG, host="elsewhere", pid=1)
