"""Calling what `@exit_hook` names, after a run has ended."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from itertools import chain

from flowkit import wire
from flowkit.child import ChildFailed, run_in_child
from flowkit.flow import exit_functions
from flowkit.values import Failure, RunId
from flowkit.worker.failure import failure_of
from flowkit.worker.libc import flush_streams
from flowkit.worker.loading import LoadedFlow
from flowkit.worker.messages import HookFailures


def call_exit_hooks(loaded: LoadedFlow, run: RunId, *, succeeded: bool) -> HookFailures:
    """Call the functions one after the other; returns those that raised, and what."""
    functions = exit_functions(loaded.decorators, succeeded=succeeded)
    return tuple(chain.from_iterable(_call(one, run) for one in functions))


def call_exit_hooks_in_children(loaded: LoadedFlow, run: RunId, *, succeeded: bool) -> HookFailures:
    """Do the same, each in a forked child: what a function does to its process ends with it.

    A child that dies on the way is its function's failure; the others are called all the same.
    """
    functions = exit_functions(loaded.decorators, succeeded=succeeded)
    return tuple(chain.from_iterable(_call_in_child(one, run) for one in functions))


def _call(function: Callable[..., object], run: RunId) -> HookFailures:
    try:
        if _takes_run(function):
            # By name: the client is a higher room, which workers know nothing of.
            view = import_module("flowkit.client").Run(str(run), check_namespace=False)
            function(view)
        else:
            function()
    except (Exception, SystemExit) as error:
        return ((function.__name__, failure_of(error)),)
    return ()


def _call_in_child(function: Callable[..., object], run: RunId) -> HookFailures:
    def called() -> bytes:
        failed = _call(function, run)
        flush_streams()
        return wire.encode(failed)

    try:
        answer = run_in_child(called)
    except ChildFailed as error:
        return ((function.__name__, Failure(type_name="ProcessDied", message=error.message)),)
    return wire.decode(HookFailures, answer, name="exit hook")


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
