"""Deciding what runs next, purely.

`scheduler`: facts in, requests out. `events`: those facts and requests. `fan`: lazy fan-outs, and
what joins collect of them; `joins`: those that wait. `gang`: tasks that start and fail together.
`admission`: slots, limits and resources. `alarms`: retries and timeouts that are to come. `tally`:
how far each step is. `resume`: which tasks of an earlier run still hold. `fingerprint`: what a task
depends on. `explain`: why it ran. `spinning`: one task by itself.
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
    from flowkit.plan.fingerprint import (
        Artifacts,
        Fingerprints,
        TaskSight,
        are_equal,
        composed,
        identity_with,
    )
    from flowkit.plan.gang import are_one_attempt, whole_gangs
    from flowkit.plan.resume import ResumePlan, check_step, reusable
    from flowkit.plan.scheduler import Scheduler
    from flowkit.plan.spinning import OneTask, find_task
    from flowkit.plan.tally import StepProgress

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
    "are_one_attempt",
    "changed_pieces",
    "check_step",
    "closest",
    "composed",
    "differences",
    "find_task",
    "identity_with",
    "reusable",
    "tell_excess",
    "whole_gangs",
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
        "flowkit.plan.fingerprint": (
            "Artifacts Fingerprints TaskSight are_equal composed identity_with"
        ),
        "flowkit.plan.gang": "are_one_attempt whole_gangs",
        "flowkit.plan.resume": "ResumePlan check_step reusable",
        "flowkit.plan.scheduler": "Scheduler",
        "flowkit.plan.spinning": "OneTask find_task",
        "flowkit.plan.tally": "StepProgress",
    },
)
