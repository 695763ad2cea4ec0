"""Which task a spin starts, and what becomes of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from flowkit.graph import FlowDescription, Graph, Kind, Node, Policies, Retry
from flowkit.plan import (
    CancelRequested,
    ClockTicked,
    Event,
    FinishRun,
    Limits,
    OneTask,
    RunStarted,
    Scheduler,
    StartTask,
    StopTask,
    TaskFailed,
    TaskSucceeded,
    find_task,
)
from flowkit.testing.graphs import SHAPES
from flowkit.values import Attempt, Digest, Digests, Outcome, TaskKey

PARAMETERS = Digest(bytes(32))


def digest_of(key: TaskKey) -> Digest:
    return Digest(str(key).encode().ljust(32, b".")[:32])


def outcome_of(node: Node, key: TaskKey) -> Outcome:
    """What a task comes to here: fans have two elements, switches take their last arm."""
    turns = node.kind is Kind.SWITCH and node.name in node.targets and key.iteration < 2
    return Outcome(
        manifest=digest_of(key),
        width=2 if node.kind.fans_out else None,
        choice=(node.name if turns else [one for one in node.targets if one != node.name][-1])
        if node.kind is Kind.SWITCH
        else None,
    )


def ran(description: FlowDescription) -> dict[TaskKey, StartTask]:
    """Run a flow to its end; return how each task was started."""
    graph = Graph(description)
    scheduler = Scheduler(graph, Limits(slots=4))
    started: dict[TaskKey, StartTask] = {}
    commands = scheduler.handle(RunStarted(PARAMETERS))
    while commands:
        command = commands.pop(0)
        if isinstance(command, StartTask):
            key = command.attempt.key
            started[key] = command
            outcome = outcome_of(graph[key.step], key)
            commands += scheduler.handle(TaskSucceeded(command.attempt, outcome))
    return started


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_task_is_found_as_its_run_started_it(shape: str) -> None:
    description = SHAPES[shape]
    started = ran(description)
    graph = Graph(description)
    finished = {key: outcome_of(graph[key.step], key) for key in started}
    for key, task in started.items():
        found = find_task(description, PARAMETERS, finished, step=key.step, key=key)
        assert found == task


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_without_a_key_it_is_the_first_task_of_the_step(shape: str) -> None:
    description = SHAPES[shape]
    started = ran(description)
    graph = Graph(description)
    finished = {key: outcome_of(graph[key.step], key) for key in started}
    for step in {key.step for key in started}:
        first = min(key for key in started if key.step == step)
        found = find_task(description, PARAMETERS, finished, step=step, key=None)
        assert found is not None
        assert found.attempt.key == first


def test_limits_and_retries_of_steps_do_not_count() -> None:
    limited = Policies(retry=Retry(times=3), concurrency=1)
    description = SHAPES["foreach"]
    description = replace(
        description, nodes=tuple(replace(one, policies=limited) for one in description.nodes)
    )
    (step,) = Graph(description)[description.start].targets
    finished = {TaskKey("start"): Outcome(manifest=digest_of(TaskKey("start")), width=1000)}
    key = TaskKey(step, (999,))
    found = find_task(description, PARAMETERS, finished, step=step, key=key)
    assert found is not None
    assert found.attempt == Attempt(key)
    assert found.last_attempt


def test_a_task_that_the_run_does_not_lead_to_is_not_found() -> None:
    description = SHAPES["foreach"]
    (step,) = Graph(description)[description.start].targets
    no_width = {TaskKey("start"): Outcome(manifest=digest_of(TaskKey("start")))}
    for finished in ({}, no_width):
        assert find_task(description, PARAMETERS, finished, step=step, key=None) is None


TASK = StartTask(Attempt(TaskKey("fit")), Digests(bytes(32)), ("start",))


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (
            TaskSucceeded(TASK.attempt, Outcome(manifest=PARAMETERS)),
            FinishRun("succeeded"),
        ),
        (TaskFailed(TASK.attempt), FinishRun("failed", (TaskKey("fit"),))),
    ],
)
def test_one_task_is_started_once_and_its_end_is_the_end(event: Event, end: FinishRun) -> None:
    one = OneTask(TASK)
    assert one.handle(RunStarted(PARAMETERS)) == [TASK]
    assert one.handle(ClockTicked(1.0)) == []
    assert one.handle(event) == [end]


def test_one_task_that_is_cancelled_is_stopped_once() -> None:
    one = OneTask(TASK)
    one.handle(RunStarted(PARAMETERS))
    assert one.handle(CancelRequested()) == [StopTask(TASK.attempt, "cancelled")]
    assert one.handle(CancelRequested()) == []
    assert one.handle(TaskFailed(TASK.attempt)) == [FinishRun("cancelled", (TaskKey("fit"),))]
