"""What is put around a user's step."""

from __future__ import annotations

import contextlib
import time

import pytest

from flowkit.errors import StepTimedOut
from flowkit.worker import guards


def swallow(times: int) -> None:
    """Sleep on through so many interruptions."""
    for _ in range(times):
        with contextlib.suppress(StepTimedOut):
            time.sleep(60)
    time.sleep(60)


def test_a_time_limit_that_is_swallowed_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "_AGAIN_S", 0.05)
    with pytest.raises(StepTimedOut), guards.time_limit("work", 0.05):
        swallow(3)
    time.sleep(0.2)  # no alarm is left behind
