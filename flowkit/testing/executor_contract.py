"""What every executor must do, whatever it starts: subclass `ExecutorContract` in a test module."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowkit.executor import FlowHost, open_host
from flowkit.ports import Executor, Exit, Output
from flowkit.store import Store
from flowkit.values import (
    Attempt,
    Digests,
    RunId,
    StoreAddress,
    TaskKey,
    TaskResult,
    TaskSpec,
)

FLOW = """
import os, signal, subprocess, sys, threading, time
from flowkit import FlowSpec, Parameter, catch, current, environment, step, timeout

class Contract(FlowSpec):
    word = Parameter("word", default="hello")
    constant = (1, 2)

    @step
    def start(self):
        self.text = self.word * 2
        print("out 1")
        print("err 1", file=sys.stderr)
        print("out 2")
        self.next(self.raises, self.exits, self.unpicklable, self.waits, self.slow, self.caught,
                  self.variables, self.dies, self.forgets)

    @step
    def raises(self):
        raise ValueError("on purpose: ünï")
        self.next(self.join)

    @step
    def exits(self):
        sys.exit(3)
        self.next(self.join)

    @step
    def unpicklable(self):
        self.handle = threading.Lock()
        self.next(self.join)

    @step
    def waits(self):
        child = subprocess.Popen(["sleep", "600"])
        print("child", child.pid)
        time.sleep(600)
        self.next(self.join)

    @timeout(seconds=1)
    @step
    def slow(self):
        time.sleep(600)
        self.next(self.join)

    @catch(var="problem")
    @step
    def caught(self):
        self.before = 1
        raise KeyError("gone")
        self.next(self.join)

    @environment(vars={"CONTRACT_COLOUR": "green"})
    @step
    def variables(self):
        self.colour = os.environ["CONTRACT_COLOUR"]
        self.next(self.join)

    @step
    def dies(self):
        print("last words", end="")
        os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.join)

    @step
    def forgets(self):
        if self.text:
            return
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Contract()
"""


class ExecutorContract:
    """Tests that hold for every executor. Set `name`; `isolates` False if steps share a process."""

    name: str
    isolates = True

    @pytest.fixture
    def flow_file(self, tmp_path: Path) -> str:
        """Write the flow."""
        path = tmp_path / f"contract_{self.name}.py"
        path.write_text(FLOW)
        return str(path)

    @pytest.fixture
    def host(self, flow_file: str) -> Iterator[FlowHost]:
        """Import the flow as the executor wants it."""
        host = open_host(self.name, flow_file, None)
        yield host
        host.close()

    @pytest.fixture
    def executor(self, host: FlowHost) -> Iterator[Executor]:
        """Open the executor under test."""
        executor = self.open(host)
        yield executor
        executor.close()

    @pytest.fixture
    def address(self, tmp_path: Path) -> StoreAddress:
        """Name a fresh store."""
        return StoreAddress(url=str(tmp_path / "store"), sync=False)

    def open(self, host: FlowHost) -> Executor:
        """Open the executor under test over a host."""
        from flowkit.executor import open_executor

        return open_executor(self.name, host)

    @pytest.fixture
    def attempts(self, host: FlowHost, executor: Executor, address: StoreAddress) -> Attempts:
        """Start attempts and wait for them."""
        return Attempts(host, executor, address)

    def test_an_attempt_leaves_a_result_and_its_artifacts(self, attempts: Attempts) -> None:
        result = attempts.run("start")
        assert result.status == "succeeded"
        assert attempts.artifacts(result) == {
            "word": "hello",
            "constant": (1, 2),
            "text": "hellohello",
        }

    def test_output_is_kept_in_order_and_comes_before_the_exit(self, attempts: Attempts) -> None:
        attempts.run("start")
        printed = [(one.stream, one.text) for one in attempts.reports if isinstance(one, Output)]
        assert printed == [("stdout", b"out 1"), ("stderr", b"err 1"), ("stdout", b"out 2")]
        assert isinstance(attempts.reports[-1], Exit)
        times = [one.time_s for one in attempts.reports if isinstance(one, Output)]
        assert times == sorted(times)

    def test_what_a_step_raises_is_a_failure_with_its_place(
        self, attempts: Attempts, flow_file: str
    ) -> None:
        failure = attempts.run("raises").failure
        assert failure is not None
        assert (failure.type_name, failure.message) == ("ValueError", "on purpose: ünï")
        line = FLOW.split("\n").index('        raise ValueError("on purpose: ünï")') + 1
        assert failure.where == f"{flow_file}:{line}"
        assert failure.retryable
        assert "attempt.py" not in failure.traceback

    def test_leaving_the_interpreter_fails_the_attempt(self, attempts: Attempts) -> None:
        failure = attempts.run("exits").failure
        assert failure is not None
        assert failure.type_name == "SystemExit"

    def test_an_artifact_that_cannot_be_kept_is_named(self, attempts: Attempts) -> None:
        failure = attempts.run("unpicklable").failure
        assert failure is not None
        assert failure.type_name == "UnpicklableArtifact"
        assert "`handle`" in failure.message
        assert "lock" in failure.message
        assert not failure.retryable

    def test_a_time_limit_raises_inside_the_step(self, attempts: Attempts) -> None:
        failure = attempts.run("slow").failure
        assert failure is not None
        assert failure.type_name == "StepTimedOut"
        assert failure.retryable

    def test_catch_keeps_what_was_set_before_and_what_was_raised(self, attempts: Attempts) -> None:
        result = attempts.run("caught")
        assert result.status == "succeeded"
        assert result.caught is not None
        artifacts = attempts.artifacts(result)
        assert artifacts["before"] == 1
        assert "gone" in str(artifacts["problem"])

    def test_catch_waits_for_the_last_attempt(self, attempts: Attempts) -> None:
        result = attempts.run("caught", last_attempt=False)
        assert result.status == "failed"

    def test_environment_variables_are_set_for_the_step_only(self, attempts: Attempts) -> None:
        import os

        result = attempts.run("variables")
        assert attempts.artifacts(result)["colour"] == "green"
        assert "CONTRACT_COLOUR" not in os.environ

    def test_a_step_that_does_not_go_on_fails(self, attempts: Attempts) -> None:
        failure = attempts.run("forgets").failure
        assert failure is not None
        assert "self.next" in failure.message

    def test_the_first_result_of_an_attempt_counts(self, attempts: Attempts) -> None:
        first = attempts.run("start")
        assert attempts.run("start") == first

    def test_unknown_attempts_are_not_cancelled(self, executor: Executor) -> None:
        executor.cancel(Attempt(TaskKey("nothing")), grace_s=0.0)
        assert executor.wait(0.0) == []

    def test_closing_twice_is_harmless(self, executor: Executor) -> None:
        executor.close()
        executor.close()

    def test_a_process_that_dies_is_an_exit_without_a_result(self, attempts: Attempts) -> None:
        if not self.isolates:
            return
        attempts.submit("dies")
        attempts.wait()
        assert attempts.result("dies") is None
        *printed, exited = attempts.reports
        assert [one.text for one in printed if isinstance(one, Output)] == [b"last words"]
        assert isinstance(exited, Exit)
        assert "SIGKILL" in exited.hint

    def test_cancelling_ends_the_step_and_what_it_started(self, attempts: Attempts) -> None:
        if not self.isolates:
            return
        attempts.submit("waits")
        attempts.wait(until=Output)
        attempts.executor.cancel(Attempt(attempts.key("waits")), grace_s=5.0)
        attempts.wait()
        (line,) = [one.text for one in attempts.reports if isinstance(one, Output)]
        assert _dies(int(line.split()[1]))

    def test_closing_kills_what_still_runs(self, attempts: Attempts, host: FlowHost) -> None:
        if not self.isolates:
            return
        attempts.submit("waits")
        attempts.wait(until=Output)
        (line,) = [one.text for one in attempts.reports if isinstance(one, Output)]
        attempts.executor.close()
        host.close()
        assert _dies(int(line.split()[1]))

    def test_several_attempts_run_side_by_side(self, attempts: Attempts) -> None:
        steps = ["start", "raises", "variables", "caught"]
        for step in steps:
            attempts.submit(step)
        attempts.wait(exits=len(steps))
        ended = [one.attempt.key.step for one in attempts.reports if isinstance(one, Exit)]
        assert sorted(ended) == sorted(steps)


class Attempts:
    """Submits attempts of the contract's flow and gathers what is reported."""

    def __init__(self, host: FlowHost, executor: Executor, address: StoreAddress) -> None:
        self.executor = executor
        self._host, self._address = host, address
        self.store = Store.open(address.url, sync=False)
        self._parameters = host.bind(address, {}, user="tester")
        self._run = RunId("Contract", "1")
        self.reports: list[Exit | Output] = []

    def key(self, step: str) -> TaskKey:
        """Return the key of a step's only task."""
        return TaskKey(step)

    def submit(self, step: str, *, last_attempt: bool = True) -> None:
        """Start an attempt of a step as if it followed the start."""
        inputs = self._parameters
        if step != "start":
            writer = self.store.write_manifest()
            for name, entry in self.store.manifest(self._parameters).artifacts.items():
                writer.inherit(name, entry)
            writer.add("text", "before")
            inputs = writer.commit()
        spec = TaskSpec(
            run=self._run,
            attempt=Attempt(self.key(step)),
            flow_file=self._host.description.file,
            store=self._address,
            parameters=self._parameters,
            inputs=Digests([inputs]),
            input_steps=("start",),
            last_attempt=last_attempt,
        )
        self.executor.submit(spec)

    def wait(self, *, exits: int = 1, until: type = Exit) -> None:
        """Gather reports until so many of a kind have come; a minute at most."""
        deadline = time.monotonic() + 60
        while sum(isinstance(one, until) for one in self.reports) < exits:
            assert time.monotonic() < deadline, f"waited too long; so far: {self.reports}"
            self.reports += self.executor.wait(1.0)

    def run(self, step: str, *, last_attempt: bool = True) -> TaskResult:
        """Run one attempt to its end."""
        self.reports.clear()
        self.submit(step, last_attempt=last_attempt)
        self.wait()
        result = self.result(step)
        assert result is not None, self.reports
        return result

    def result(self, step: str) -> TaskResult | None:
        """Return the result in the store."""
        return self.store.result(self._run, Attempt(self.key(step)))

    def artifacts(self, result: TaskResult) -> dict[str, object]:
        """Load all artifacts of a result."""
        assert result.outcome is not None
        entries = self.store.manifest(result.outcome.manifest).artifacts
        return {name: self.store.load(entry) for name, entry in entries.items()}


def _dies(pid: int) -> bool:
    """Whether a process that was killed is gone within ten seconds: signals take their time."""
    deadline = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < deadline:
        pass
    return not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
