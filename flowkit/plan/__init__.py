"""Deciding what runs next, purely.

`scheduler`: facts in, requests out. `events`: those facts and requests. `fan`: lazy fan-outs and
the joins that collect them. `admission`: slots, limits and resources. `alarms`: retries and
timeouts that are to come. `resume`: which tasks of an earlier run still hold. `fingerprint`: what
a task depends on. `explain`: why it ran. `spinning`: one task by itself.
"""

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.plan.admission import Limits, tell_excess
    from flowkit.plan.events import (
        PARAMETERS_STEP,
        CancelRequested,
        ClockTicked,
        CloneTask,
        Command,
        Event,
        FindReusable,
        FinishRun,
        ReusableFound,
        RunStarted,
        StartTask,
        StopTask,
        TaskFailed,
        TaskSucceeded,
    )
    from flowkit.plan.explain import (
        Components,
        Difference,
        changed_pieces,
        closest,
        differences,
    )
    from flowkit.plan.fingerprint import Artifacts, Fingerprints, TaskSight, are_equal, composed
    from flowkit.plan.resume import ResumePlan, check_step, reusable
    from flowkit.plan.scheduler import Scheduler, StepProgress
    from flowkit.plan.spinning import OneTask, find_task

__all__ = [
    "PARAMETERS_STEP",
    "Artifacts",
    "CancelRequested",
    "ClockTicked",
    "CloneTask",
    "Command",
    "Components",
    "Difference",
    "Event",
    "FindReusable",
    "Fingerprints",
    "FinishRun",
    "Limits",
    "OneTask",
    "ResumePlan",
    "ReusableFound",
    "RunStarted",
    "Scheduler",
    "StartTask",
    "StepProgress",
    "StopTask",
    "TaskFailed",
    "TaskSight",
    "TaskSucceeded",
    "are_equal",
    "changed_pieces",
    "check_step",
    "closest",
    "composed",
    "differences",
    "find_task",
    "reusable",
    "tell_excess",
]

__getattr__ = loads(
    "flowkit.plan",
    {
        "flowkit.plan.admission": "Limits tell_excess",
        "flowkit.plan.events": (
            "PARAMETERS_STEP CancelRequested ClockTicked CloneTask Command Event "
            "FindReusable FinishRun ReusableFound RunStarted StartTask StopTask "
            "TaskFailed TaskSucceeded"
        ),
        "flowkit.plan.explain": "Components Difference changed_pieces closest differences",
        "flowkit.plan.fingerprint": "Artifacts Fingerprints TaskSight are_equal composed",
        "flowkit.plan.resume": "ResumePlan check_step reusable",
        "flowkit.plan.scheduler": "Scheduler StepProgress",
        "flowkit.plan.spinning": "OneTask find_task",
    },
)
