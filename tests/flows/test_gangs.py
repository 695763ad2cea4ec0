"""Gangs: `num_parallel` tasks of a step that run at once, and end well together or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flowkit.errors import FlowInvalid
from flowkit.runner import RunOptions, TaskEnded

if TYPE_CHECKING:
    from conftest import Lab

SOON = "seconds_between_retries=0"

GANG = """

    FOLDER = os.path.dirname(__file__)

    def told(name):
        return os.path.exists(os.path.join(FOLDER, name))

    def lines(count):
        for at in range(1, count):
            os.mkfifo(os.path.join(FOLDER, f"line-{os.getpid()}-{at}"))
        return os.path.join(FOLDER, f"line-{os.getpid()}")

    def meet(line):
        # Opening a pipe waits for its other end: nobody passes unless all nodes are there.
        node = current.parallel
        if node.node_index:
            open(f"{line}-{node.node_index}").close()
            return
        for at in range(1, node.num_nodes):
            open(f"{line}-{at}", "w").close()
"""

PLAIN = (
    GANG
    + """
    class Plain(FlowSpec):
        nodes = Parameter("nodes", default=3)

        @step
        def start(self):
            self.next(self.train, num_parallel=self.nodes)

        @parallel
        @step
        def train(self):
            node = current.parallel
            self.told = (node.main_ip, node.num_nodes, node.node_index, node.control_task_id)
            self.seen = (self.index, self.input, current.is_parallel, current.task_id)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.order = [one.told[2] for one in inputs]
            self.alone = (current.is_parallel, current.parallel.num_nodes, self.index)
            self.next(self.end)

        @step
        def end(self):
            pass
"""
)


def test_nodes_know_their_gang_and_a_join_gets_them_in_order(any_lab: Lab) -> None:
    ran = any_lab.run(PLAIN)
    assert ran.status == "succeeded", ran.end
    assert ran.values("told", "train") == [("127.0.0.1", 3, at, "0") for at in range(3)]
    assert ran.values("seen", "train") == [(None, None, True, str(at)) for at in range(3)]
    assert ran.value("order") == [0, 1, 2]
    assert ran.value("alone", "join") == (False, 1, None)


def test_a_parameter_says_how_many_nodes_there_are(lab: Lab) -> None:
    assert lab.run(PLAIN, nodes="1").value("order") == [0]
    assert lab.run(PLAIN, nodes="4").value("order") == [0, 1, 2, 3]


@pytest.mark.parametrize("nodes", ["0", "-2"])
def test_a_gang_of_nobody_is_an_error_of_the_step(lab: Lab, nodes: str) -> None:
    ran = lab.run(PLAIN, nodes=nodes)
    assert ran.failure.message == f"step `start` gives self.next `num_parallel={nodes}`"
    assert ran.failure.hint is not None
    assert "whole number" in ran.failure.hint


def test_a_size_that_is_none_is_an_error_of_the_step_with_its_place(lab: Lab) -> None:
    ran = lab.run(PLAIN.replace("num_parallel=self.nodes", "num_parallel=self.index"))
    assert ran.failure.message == "step `start` gives self.next `num_parallel=None`"
    assert ran.failure.where is not None
    assert ran.end.exit_code == 1


def test_the_client_and_the_command_line_know_the_control_task(lab: Lab) -> None:
    run = lab.run(PLAIN).run
    train = run["train"]
    assert train.control_task is not None
    assert train.control_task.pathspec == f"{run.pathspec}/train/0"
    assert [task.id for task in train.control_tasks()] == ["0"]
    assert [task.id for task in train.tasks()] == ["0", "1", "2"]
    assert run["join"].control_task is None
    assert [task.id for task in run["join"].task.parent_tasks] == ["0", "1", "2"]
    facts = json.loads(lab.cli("show", "--json", train.control_task.pathspec).stdout)
    assert facts["gang"] == {"node_index": 0, "num_nodes": 3, "control_task": facts["task"]}
    shown = lab.cli("show", f"{run.pathspec}/train/2").stdout
    assert f"node 2 of 3, control task {run.pathspec}/train/0" in shown
    assert json.loads(lab.cli("show", "--json", f"{run.pathspec}/join/0").stdout)["gang"] is None


def test_all_nodes_are_alive_at_once(process_lab: Lab) -> None:
    ran = process_lab.run(
        GANG
        + """
    class Meeting(FlowSpec):
        @step
        def start(self):
            self.line = lines(4)
            self.next(self.train, num_parallel=4)

        @timeout(seconds=60)
        @parallel
        @step
        def train(self):
            meet(self.line)
            self.pid = os.getpid()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.pids = {one.pid for one in inputs}
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert len(ran.value("pids")) == 4


def test_a_gang_larger_than_the_workers_runs_when_it_is_alone(lab: Lab) -> None:
    lab.having(max_workers=2)
    ran = lab.run(
        GANG
        + """
    class Large(FlowSpec):
        @step
        def start(self):
            self.line = lines(5)
            self.next(self.open, self.side)

        @step
        def open(self):
            self.next(self.train, num_parallel=5)

        @timeout(seconds=60)
        @resources(cpu=1000)
        @concurrency(2)
        @parallel
        @step
        def train(self):
            meet(self.line)
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.next(self.join)

        @step
        def side(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert (
        "step `open` leads to a gang of 5 tasks where 2 may run at once: "
        "they start when no other runs"
    ) in ran.notices


def test_inline_the_nodes_run_one_after_the_other_and_a_notice_says_so(any_lab: Lab) -> None:
    ran = any_lab.run(PLAIN)
    is_inline = any_lab.settings.executor == "inline"
    assert sum("one after the other" in notice for notice in ran.notices) == is_inline


FAILING = (
    GANG
    + f"""
    class Failing(FlowSpec):
        @step
        def start(self):
            self.line = lines(3)
            self.next(self.train, num_parallel=3)

        @retry(times=1, {SOON})
        @timeout(seconds=60)
        @parallel
        @step
        def train(self):
            self.attempt = current.retry_count
            if current.parallel.node_index == 1 and told(f"fail-{{self.attempt}}"):
                raise ValueError(f"told to fail {{self.attempt}}")
            if told(f"fail-{{self.attempt}}"):
                meet(self.line)  # node 1 never comes
            self.next(self.join)

        @step
        def join(self, inputs):
            self.attempts = [one.attempt for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""
)


def test_one_failed_node_ends_the_others_and_all_are_tried_again(process_lab: Lab) -> None:
    (process_lab.folder / "fail-0").touch()
    ran = process_lab.run(FAILING)
    assert ran.status == "succeeded", ran.end
    assert ran.value("attempts") == [1, 1, 1]
    nodes = [f"train/{at}{attempt}" for at in range(3) for attempt in ("", "#1")]
    assert ran.started == ["end/0", "join/0", "start/0", *nodes]
    ended = [one for one in ran.facts if isinstance(one, TaskEnded) and one.again]
    failures = {one.attempt.key.task_id: one.failure for one in ended}
    told = {task: failure and failure.type_name for task, failure in failures.items()}
    assert told == {"0": "GangStopped", "1": "ValueError", "2": "GangStopped"}
    stopped = failures["0"]
    assert stopped is not None
    assert stopped.message == "node 1 of its gang failed: ValueError: told to fail 0"


def test_a_gang_that_fails_for_good_fails_by_its_first_failure(process_lab: Lab) -> None:
    for attempt in range(2):
        (process_lab.folder / f"fail-{attempt}").touch()
    ran = process_lab.run(FAILING)
    assert ran.status == "failed"
    assert (ran.failure.type_name, ran.failure.message) == ("ValueError", "told to fail 1")
    assert [str(key) for key in ran.end.failed] == ["train/1"]
    assert [task.pathspec for task in ran.run.failed_tasks] == [f"{ran.run.pathspec}/train/1"]
    assert [task.status for task in ran.run["train"]] == ["failed"] * 3


def test_a_failed_gang_is_resumed_as_a_whole(process_lab: Lab) -> None:
    for attempt in range(2):
        (process_lab.folder / f"fail-{attempt}").touch()
    process_lab.run(FAILING)
    for attempt in range(2):
        (process_lab.folder / f"fail-{attempt}").unlink()
    ran = process_lab.resume()
    assert ran.status == "succeeded", ran.end
    assert ran.cloned == ["start/0"]
    assert ran.started == ["end/0", "join/0", "train/0", "train/1", "train/2"]


PARTLY = (
    GANG
    + f"""
    class Partly(FlowSpec):
        @step
        def start(self):
            self.next(self.train, num_parallel=2)

        @retry(times=1, {SOON})
        @parallel
        @step
        def train(self):
            # One ends well in each attempt, and so the gang in none.
            self.wrong = current.retry_count != current.parallel.node_index
            if self.wrong and told("fail"):
                while not told(f"done-{{current.retry_count}}"):
                    time.sleep(0.01)
                raise ValueError("the other is done")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
"""
)


def test_nodes_that_ended_well_in_different_attempts_are_no_gang(lab: Lab) -> None:
    (lab.folder / "fail").touch()
    lab.write(PARTLY)

    def done(fact: object) -> None:
        if isinstance(fact, TaskEnded) and fact.attempt.key.step == "train":
            (lab.folder / f"done-{fact.attempt.number}").touch()

    failed = lab.driven(
        lambda session, listener: session.run(
            RunOptions(), lambda fact: (listener(fact), done(fact))
        )
    )
    assert failed.status == "failed"
    attempts = [[a.status for a in task.attempts] for task in failed.run["train"]]
    assert attempts == [["succeeded", "failed"], ["failed", "succeeded"]]
    (lab.folder / "fail").unlink()
    ran = lab.resume()
    assert ran.status == "succeeded", ran.end
    assert ran.cloned == ["start/0"]


def test_a_gang_that_ended_well_is_cloned(any_lab: Lab) -> None:
    failing = "def join(self, inputs):\n            1 / told('well')"
    any_lab.write(PLAIN.replace("def join(self, inputs):", failing))
    assert any_lab.run().status == "failed"
    (any_lab.folder / "well").touch()
    ran = any_lab.resume()
    assert ran.status == "succeeded", ran.end
    assert ran.cloned == ["start/0", "train/0", "train/1", "train/2"]
    assert ran.value("order") == [0, 1, 2]


@pytest.mark.parametrize("node", [0, 2])
def test_killing_a_node_ends_the_others_and_the_gang_is_tried_again(
    process_lab: Lab, node: int
) -> None:
    ran = process_lab.run(
        GANG
        + f"""
    class Killed(FlowSpec):
        @step
        def start(self):
            self.line = lines(3)
            self.next(self.train, num_parallel=3)

        @retry(times=1, {SOON})
        @timeout(seconds=60)
        @parallel
        @step
        def train(self):
            if current.retry_count == 0 and current.parallel.node_index == {node}:
                os.kill(os.getpid(), signal.SIGKILL)
            meet(self.line)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    failures = [task.attempts[0].exception for task in ran.run["train"]]
    first = [failure and failure.type_name for failure in failures]
    assert first.pop(node) == "ProcessDied"
    assert "GangStopped" in first
    assert [task.current_attempt for task in ran.run["train"]] == [1, 1, 1]


CAUGHT = (
    GANG
    + f"""
    class Caught(FlowSpec):
        bad = Parameter("bad", default=1)

        @step
        def start(self):
            self.next(self.train, num_parallel=3)

        @retry(times=1, {SOON})
        @catch(var="failure", print_exception=False)
        @parallel
        @step
        def train(self):
            self.early = True
            if current.parallel.node_index == self.bad:
                raise ValueError("no")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.failures = [one.failure and one.failure.type for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
"""
)


def test_catch_stands_in_for_all_nodes_or_for_none(any_lab: Lab) -> None:
    ran = any_lab.run(CAUGHT)
    assert ran.status == "succeeded", ran.end
    failures = ran.value("failures")
    assert failures[1] == "ValueError"
    assert {failures[0], failures[2]} == {"GangStopped"}
    assert [task.current_attempt for task in ran.run["train"]] == [2, 2, 2]
    good = any_lab.run(CAUGHT, bad="7")
    assert good.value("failures") == [None, None, None]


def test_a_gang_inside_a_foreach_fails_and_is_resumed_by_itself(lab: Lab) -> None:
    (lab.folder / "fail").touch()
    lab.write(
        GANG
        + """
    class Nested(FlowSpec):
        @step
        def start(self):
            self.letters = "ab"
            self.next(self.open, foreach="letters")

        @step
        def open(self):
            self.next(self.train, num_parallel=len(self.letters))

        @parallel
        @step
        def train(self):
            self.control = current.parallel.control_task_id
            self.label = f"{self.input}{current.parallel.node_index}"
            if self.label == "b1" and told("fail"):
                raise ValueError
            self.next(self.gather)

        @step
        def gather(self, inputs):
            self.names = [one.label for one in inputs]
            self.next(self.join)

        @step
        def join(self, inputs):
            self.names = [one.names for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    lab.having(max_workers=1)
    failed = lab.run()
    assert failed.status == "failed"
    (lab.folder / "fail").unlink()
    ran = lab.resume()
    assert ran.status == "succeeded", ran.end
    assert [one for one in ran.cloned if "train" in one] == ["train/0.0", "train/0.1"]
    assert [one for one in ran.started if "train" in one] == ["train/1.0", "train/1.1"]
    assert ran.value("names") == [["a0", "a1"], ["b0", "b1"]]
    assert ran.values("control", "train") == ["0.0", "0.0", "1.0", "1.0"]
    assert [task.id for task in ran.run["train"].control_tasks()] == ["0.0", "1.0"]


def test_reuse_takes_a_gang_as_a_whole_and_knows_its_size(lab: Lab) -> None:
    lab.write(PLAIN)
    lab.run()
    again = lab.run(options=RunOptions(reuse=True))
    assert [one for one in again.cloned if "train" in one] == ["train/0", "train/1", "train/2"]
    larger = lab.run(options=RunOptions(reuse=True, parameters={"nodes": "4"}))
    assert [one for one in larger.started if "train" in one] == [f"train/{at}" for at in range(4)]
    assert {told[1] for told in larger.values("told", "train")} == {4}


def test_a_gang_is_drawn(lab: Lab) -> None:
    file = lab.write(
        PLAIN.replace("        @parallel", "        @card\n        @parallel").replace(
            "FOLDER = os", "from flowkit import card\n\n    FOLDER = os"
        )
    )
    assert lab.cli("check", str(file)).returncode == 0
    drawn = lab.cli("graph", str(file)).stdout
    assert "→ as a gang of self.nodes" in drawn
    assert "[parallel]" in drawn
    assert 'label="self.nodes"' in lab.cli("graph", "--format", "dot", str(file)).stdout
    assert "as a gang of `self.nodes`: train" in lab.cli("show", str(file)).stdout
    steps = json.loads(lab.cli("graph", "--format", "json", str(file)).stdout)["steps"]
    assert (steps[0]["kind"], steps[0]["num_parallel"]) == ("gang", "self.nodes")
    run = lab.run().run
    card = lab.cli("card", "get", f"{run.pathspec}/train/1").stdout
    assert "gang of self.nodes" in card


def test_a_decorator_that_goes_on_for_a_step_may_size_its_gang(lab: Lab) -> None:
    text = """
    from flowkit import parallel, user_step_decorator

    @user_step_decorator
    def skip(step_name, flow, inputs=None, attributes=None):
        flow.skipped = True
        yield HOW

    class Skipping(FlowSpec):
        @skip
        @step
        def start(self):
            self.next(self.train, num_parallel=SIZE)

        @parallel
        @step
        def train(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.count = len(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    named = text.replace("HOW", '{"num_parallel": 2}')
    assert lab.run(named.replace("SIZE", "self.nodes")).value("count") == 2
    none = lab.run(text.replace("HOW", '{"num_parallel": None}').replace("SIZE", "3"))
    assert none.failure.message == "step `start` gives self.next `num_parallel=None`"
    unnamed = text.replace("HOW", "{}")
    assert lab.run(unnamed.replace("SIZE", "3")).value("count") == 3
    failed = lab.run(unnamed.replace("SIZE", "self.nodes"))
    assert failed.failure.message == (
        "step `start` did not run, which computes `num_parallel=self.nodes`"
    )


def test_a_gang_that_is_not_marked_is_told_with_its_place(lab: Lab) -> None:
    lab.write(PLAIN.replace("        @parallel\n", ""))
    with pytest.raises(FlowInvalid, match="by `num_parallel`, but that has no `@parallel`"):
        lab.run()
    ended = lab.cli("check", str(Path(lab.file)))
    assert ended.returncode != 0
    assert "write `@parallel` above `def train(self)`" in ended.stdout + ended.stderr
