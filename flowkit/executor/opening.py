"""Executors by name, each imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flowkit.errors import UsageError
from flowkit.executor.surroundings import Surroundings

if TYPE_CHECKING:
    from flowkit.executor.host import Choose, FlowHost
    from flowkit.ports import Executor

EXECUTORS = ("local", "process", "inline")


def open_host(
    executor: str,
    file: str,
    name: str | None,
    *,
    environ: Mapping[str, str] | None = None,
    surroundings: Surroundings | None = None,
    is_abandoned: Callable[[], bool] = lambda: False,
    choose: Choose | None = None,
) -> FlowHost:
    """Import a flow where the executor named `executor` wants it, and read it there.

    Args:
        executor: its name.
        file: the absolute path of the flow's file.
        name: the flow's name, if the file has several.
        environ: variables for processes of the flow's own, on top of all others.
        surroundings: what processes of the flow's own find around them; inline there is none.
        is_abandoned: asked while the flow is being read, which may take long: whether to give up.
        choose: told the flow's name, says how it is to be read.

    Raises:
        UsageError: there is no such executor, or the file has several flows, or none; or a config
            cannot be read.
        FlowInvalid: the file cannot be imported, or the flow has faults.
        Abandoned: so said `is_abandoned`.
    """
    if executor not in EXECUTORS:
        raise UsageError(
            f"there is no executor `{executor}`",
            hint=f"choose one of {', '.join(f'`{one}`' for one in EXECUTORS)}",
        )
    from flowkit.executor.host import ZygoteHost, as_it_is

    if executor == "inline":
        from flowkit.executor.inline import InlineHost

        if surroundings is not None:
            raise UsageError(
                "the executor `inline` runs steps in this very process: they have its "
                "environment and its folder",
                hint="give no `env` and no `cwd`, or choose the executor `local`",
            )
        return InlineHost(file, name, choose=choose or as_it_is)
    return ZygoteHost(
        file,
        name,
        environ=environ or {},
        surroundings=surroundings or Surroundings(),
        is_abandoned=is_abandoned,
        choose=choose or as_it_is,
    )


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
