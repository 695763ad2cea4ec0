"""Deciding what runs next, purely.

`scheduler`: facts in, requests out. `events`: those facts and requests. `fan`: lazy fan-outs and
the joins that collect them. `admission`: slots, limits and resources. `alarms`: retries and
timeouts that are to come. `resume`: which tasks of an earlier run still hold.
"""

from flowkit.plan.admission import Limits, tell_excess
from flowkit.plan.events import (
    PARAMETERS_STEP,
    CancelRequested,
    ClockTicked,
    CloneTask,
    Command,
    Event,
    FinishRun,
    RunStarted,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
)
from flowkit.plan.resume import ResumePlan, reusable
from flowkit.plan.scheduler import Scheduler, StepProgress

__all__ = [
    "PARAMETERS_STEP",
    "CancelRequested",
    "ClockTicked",
    "CloneTask",
    "Command",
    "Event",
    "FinishRun",
    "Limits",
    "ResumePlan",
    "RunStarted",
    "Scheduler",
    "StartTask",
    "StepProgress",
    "StopTask",
    "TaskFailed",
    "TaskSucceeded",
    "reusable",
    "tell_excess",
]
