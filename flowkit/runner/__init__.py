"""Driving runs: executor reports to events, scheduler commands to actions.

`opening`: reading a flow; `session`: a flow that can be run or resumed, the library behind the
command line; `options`: what is chosen for a run. `source`: naming a flow. `projects`: where a run
belongs. `beginning`: the first record of a run. `run_files`: files that tell of a run. `drive`: the
loop. `origin`: what a resume starts from. `reuse`: earlier tasks that may stand for new ones.
`feed`: the metadata index, in batches. `logbook`: what attempts print. `cards`: those of processes
that died. `progress`: the facts that a watcher is told. `telling`: those facts in words. `spins`:
what there is to say of one step that is run by itself; `spinning`: running it. `stopping`: asking a
run to stop. `backends`: what a flow may ask for that there is not.
"""

from flowkit.runner.backends import BackendMissing, missing_backends, refuse_backends
from flowkit.runner.opening import Resumes, open_session
from flowkit.runner.options import RunOptions
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
    is_cancelled,
)
from flowkit.runner.session import FlowSession
from flowkit.runner.source import FlowSource
from flowkit.runner.spins import SpinOptions, SpinTarget, Spun
from flowkit.runner.stopping import StopSwitch
from flowkit.runner.telling import ended_line, lines_of, told

__all__ = [
    "BackendMissing",
    "FlowSession",
    "FlowSource",
    "Idled",
    "Listener",
    "Noticed",
    "Printed",
    "Resumes",
    "RunBegan",
    "RunEnded",
    "RunFact",
    "RunOptions",
    "SpinOptions",
    "SpinTarget",
    "Spun",
    "StopSwitch",
    "TaskEnded",
    "TaskStarted",
    "TasksCloned",
    "ended_line",
    "is_cancelled",
    "lines_of",
    "missing_backends",
    "open_session",
    "refuse_backends",
    "told",
]
