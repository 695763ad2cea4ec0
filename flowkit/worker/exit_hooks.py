"""Calling what `@exit_hook` names, after a run has ended."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from flowkit import wire
from flowkit.errors import Corrupt
from flowkit.flow import exit_functions
from flowkit.native import die_with_parent
from flowkit.values import Failure, RunId
from flowkit.worker.failure import failure_of
from flowkit.worker.libc import flush_streams
from flowkit.worker.loading import LoadedFlow
from flowkit.worker.messages import HookFailures


def call_exit_hooks(loaded: LoadedFlow, run: RunId, *, succeeded: bool) -> HookFailures:
    """Call the functions one after the other; returns those that raised, and what."""
    failed = []
    for function in exit_functions(loaded.decorators, succeeded=succeeded):
        try:
            if _takes_run(function):
                # By name: the client is a higher room, which workers know nothing of.
                view = import_module("flowkit.client").Run(str(run), check_namespace=False)
                function(view)
            else:
                function()
        except (Exception, SystemExit) as error:
            failed.append((function.__name__, failure_of(error)))
    return tuple(failed)


def call_exit_hooks_in_child(loaded: LoadedFlow, run: RunId, *, succeeded: bool) -> HookFailures:
    """Do the same in a forked child: what the functions do to their process ends with it.

    A child that dies on the way stands as one failure.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            die_with_parent()
            os.close(reader)
            failed = call_exit_hooks(loaded, run, succeeded=succeeded)
            with open(writer, "wb") as told:
                told.write(wire.encode(failed))
        except BaseException as error:  # whatever it is, a child must not go on as a zygote
            print(failure_of(error).traceback, file=sys.stderr)
        finally:
            flush_streams()
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as told:
        answer = told.read()
    _, status = os.waitpid(pid, 0)
    with suppress(Corrupt):
        return wire.decode(HookFailures, answer, name="exit hooks")
    how = os.waitstatus_to_exitcode(status)
    message = f"their process ended with exit code {how}" if how >= 0 else f"signal {-how}"
    return (("exit hooks", Failure(type_name="ProcessDied", message=message)),)


def _takes_run(function: Callable[..., object]) -> bool:
    """Say whether a function wants to be given the run."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL)
        for one in parameters
    )
