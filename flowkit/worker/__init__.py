"""Running one attempt and committing one result, in whatever process.

`attempt`: `run_attempt`, the one entry for every way of running, and `call_once` for trying a step.
`loading`: the user's module. `imports`: from which source it and its project are imported. `files`:
what configs and parameters name. `binding`: parameters to artifacts. `exit_hooks`: what is called
when a run has ended. `zygote`: the process that imports once and forks. `children`: what it has
forked. `messages`: what it and its driver say. `output`: what a step prints. `sighting`: what a
task depends on. `packages`: versions of what it uses. `overriding`: artifacts of a module over
those of a run. `wrapping`: the decorators of the user's own around a step. `hazards`, `threads`,
`generators`: what no fork survives. `signals`, `open_files`, `randomness`, `ending`: what a fork
and a fresh process must have alike. `guards`, `failure`: what surrounds a step. `libc`: a few calls
to C. `__main__`: the processes' entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.worker.attempt import UNCHANGEABLE, call_once, run_attempt
    from flowkit.worker.binding import bind, rebind
    from flowkit.worker.exit_hooks import call_exit_hooks
    from flowkit.worker.failure import failure_of
    from flowkit.worker.files import file_reader
    from flowkit.worker.loading import (
        FlowNotImportable,
        LoadedFlow,
        import_flow,
        load_flow,
        module_name,
        read_flow,
    )
    from flowkit.worker.messages import (
        Bind,
        Bound,
        CallExitHooks,
        Cancel,
        Channel,
        Decorate,
        Described,
        Exited,
        ExitHooksCalled,
        HookFailures,
        Imported,
        Message,
        Read,
        Refused,
        Started,
        Submit,
        send,
    )
    from flowkit.worker.output import Line, LineReader, Stream
    from flowkit.worker.overriding import Override, override
    from flowkit.worker.sighting import TaskSights

__all__ = [
    "UNCHANGEABLE",
    "Bind",
    "Bound",
    "CallExitHooks",
    "Cancel",
    "Channel",
    "Decorate",
    "Described",
    "ExitHooksCalled",
    "Exited",
    "FlowNotImportable",
    "HookFailures",
    "Imported",
    "Line",
    "LineReader",
    "LoadedFlow",
    "Message",
    "Override",
    "Read",
    "Refused",
    "Started",
    "Stream",
    "Submit",
    "TaskSights",
    "bind",
    "call_exit_hooks",
    "call_once",
    "failure_of",
    "file_reader",
    "import_flow",
    "load_flow",
    "module_name",
    "override",
    "read_flow",
    "rebind",
    "run_attempt",
    "send",
]

__getattr__ = loads(
    "flowkit.worker",
    {
        "flowkit.worker.attempt": "UNCHANGEABLE call_once run_attempt",
        "flowkit.worker.binding": "bind rebind",
        "flowkit.worker.exit_hooks": "call_exit_hooks",
        "flowkit.worker.failure": "failure_of",
        "flowkit.worker.files": "file_reader",
        "flowkit.worker.loading": (
            "FlowNotImportable LoadedFlow import_flow load_flow module_name read_flow"
        ),
        "flowkit.worker.messages": (
            "Bind Bound CallExitHooks Cancel Channel Decorate Described ExitHooksCalled Exited "
            "HookFailures Imported Message Read Refused Started Submit send"
        ),
        "flowkit.worker.output": "Line LineReader Stream",
        "flowkit.worker.overriding": "Override override",
        "flowkit.worker.sighting": "TaskSights",
    },
)
