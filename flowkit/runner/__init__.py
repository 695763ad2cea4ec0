"""Driving runs: executor reports to events, scheduler commands to actions.

`session`: a flow that can be run or resumed, the library behind the command line. `source`:
naming a flow. `drive`: the loop. `origin`: what a resume starts from. `feed`: the metadata index,
in batches. `logbook`: what attempts print. `progress`: the facts that a watcher is told.
`backends`: what a flow may ask for that there is not.
"""

from flowkit.runner.backends import BackendMissing, refuse_backends
from flowkit.runner.progress import (
    Idled,
    Listener,
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    RunFact,
    TaskEnded,
    TasksCloned,
    TaskStarted,
)
from flowkit.runner.session import FlowSession, RunOptions, open_session
from flowkit.runner.source import FlowSource

__all__ = [
    "BackendMissing",
    "FlowSession",
    "FlowSource",
    "Idled",
    "Listener",
    "Noticed",
    "Printed",
    "RunBegan",
    "RunEnded",
    "RunFact",
    "RunOptions",
    "TaskEnded",
    "TaskStarted",
    "TasksCloned",
    "open_session",
    "refuse_backends",
]
