"""Executors by name, each imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flowkit.errors import UsageError

if TYPE_CHECKING:
    from flowkit.executor.host import FlowHost
    from flowkit.ports import Executor

EXECUTORS = ("local", "process", "inline")


def open_host(
    executor: str, file: str, name: str | None, *, environ: Mapping[str, str] | None = None
) -> FlowHost:
    """Import a flow where the executor named `executor` wants it.

    `environ`: variables for processes of the flow's own, on top of this process's.

    Raises:
        UsageError: there is no such executor, or the file has several flows, or none.
        FlowInvalid: the file cannot be imported, or the flow has faults.
    """
    if executor not in EXECUTORS:
        raise UsageError(
            f"there is no executor `{executor}`",
            hint=f"choose one of {', '.join(f'`{one}`' for one in EXECUTORS)}",
        )
    if executor == "inline":
        from flowkit.executor.inline import InlineHost

        return InlineHost(file, name)
    from flowkit.executor.host import ZygoteHost

    return ZygoteHost(file, name, environ=environ or {})


def open_executor(executor: str, host: FlowHost) -> Executor:
    """Open the executor named `executor` over a host that `open_host` gave for it."""
    from flowkit.executor.host import ZygoteHost
    from flowkit.executor.local import LocalExecutor

    if isinstance(host, ZygoteHost):
        cold = executor == "process" or host.description.unsafe_to_fork is not None
        return LocalExecutor(host, cold=cold)
    from flowkit.executor.inline import InlineExecutor, InlineHost

    assert isinstance(host, InlineHost)
    return InlineExecutor(host)
