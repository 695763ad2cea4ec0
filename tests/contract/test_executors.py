"""All executors keep the same contract."""

from __future__ import annotations

from flowkit.testing.executor_contract import ExecutorContract


class TestLocal(ExecutorContract):
    name = "local"


class TestProcess(ExecutorContract):
    name = "process"


class TestInline(ExecutorContract):
    name = "inline"
    isolates = False
