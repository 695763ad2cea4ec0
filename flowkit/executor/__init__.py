"""Starting attempts, and noticing when they end; never how they went.

`host`: who knows the user's code. `local`: processes of this machine, forked from a zygote or
cold. `inline`: this process.
"""

from __future__ import annotations

from flowkit.errors import UsageError
from flowkit.executor.host import FlowHost, InlineHost, ZygoteHost
from flowkit.executor.inline import InlineExecutor
from flowkit.executor.local import LocalExecutor
from flowkit.ports import Executor

__all__ = [
    "EXECUTORS",
    "FlowHost",
    "InlineExecutor",
    "InlineHost",
    "LocalExecutor",
    "ZygoteHost",
    "open_executor",
    "open_host",
]

EXECUTORS = ("local", "process", "inline")


def open_host(executor: str, file: str, name: str | None) -> FlowHost:
    """Import a flow where the executor named `executor` wants it. Raises UsageError."""
    if executor not in EXECUTORS:
        raise UsageError(
            f"there is no executor `{executor}`", hint=f"choose one of {', '.join(EXECUTORS)}"
        )
    return InlineHost(file, name) if executor == "inline" else ZygoteHost(file, name)


def open_executor(executor: str, host: FlowHost) -> Executor:
    """Open the executor named `executor` over a host that `open_host` gave for it."""
    if isinstance(host, InlineHost):
        return InlineExecutor(host)
    assert isinstance(host, ZygoteHost)
    cold = executor == "process" or host.description.unsafe_to_fork is not None
    return LocalExecutor(host, cold=cold)
