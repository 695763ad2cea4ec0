"""Ctrl-C and SIGTERM stop a run at once, leave nothing behind, and lose nothing."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Yard

WAITING = """
    class Waiting(FlowSpec):
        @step
        def start(self):
            self.random = random.random()
            self.next(self.wait, self.more)

        @retry(times=3, seconds_between_retries=0)
        @step
        def wait(self):
            self.wait_in_child()
            self.next(self.join)

        @catch(var="problem")
        @step
        def more(self):
            self.wait_in_child()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass

        def wait_in_child(self):
            if "STUBBORN" in os.environ:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if "GO_ON" not in os.environ:
                print("waiting", flush=True)
                if "ALONE" not in os.environ:
                    subprocess.run(["sleep", "600"])
                time.sleep(600)
"""


def _begin(yard: Yard, *words: str, **environ: str) -> object:
    yard.write(WAITING)
    process = yard.begin("run", *words, **environ)
    assert process.stdout is not None
    for _ in range(1 if "inline" in words else 2):
        assert "waiting" in process.stdout.readline()
    return process


@pytest.mark.parametrize("executor", ["local", "process", "inline"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_a_run_that_can_be_resumed(
    yard: Yard, executor: str, number: signal.Signals
) -> None:
    alone = {"ALONE": "1"} if executor == "inline" else {}
    process = _begin(yard, "--executor", executor, **alone)
    # A terminal sends Ctrl-C to the whole foreground group; `kill` only to the driver.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    # In the driver's own process, the user's code is what was interrupted.
    assert ("Traceback" in errors) == (executor == "inline")
    assert "flowkit resume" in errors
    assert yard.processes() == []
    run = yard.latest("Waiting")
    assert run.status == "cancelled"
    resumed = yard.run("resume", GO_ON="1")
    assert resumed.returncode == 0, resumed.stderr
    after = yard.latest("Waiting")
    assert after["start"].task.origin_pathspec == "Waiting/1/start/0"
    assert after.data.random == run["start"].task.data.random


def test_a_second_signal_kills_what_will_not_stop(yard: Yard) -> None:
    process = _begin(yard, STUBBORN="1")
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if "stopping" in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert yard.processes() == []
    assert yard.latest("Waiting").status == "cancelled"


def test_two_signals_at_once_cancel_and_try_nothing_again(yard: Yard) -> None:
    process = _begin(yard)
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert yard.processes() == []
    run = yard.latest("Waiting")
    assert run.status == "cancelled"
    assert [len(task.attempts) for step in run for task in step] == [1, 1, 1]


def test_what_will_not_stop_is_killed_after_a_moment(yard: Yard) -> None:
    process = _begin(yard, STUBBORN="1")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert yard.processes() == []


def test_a_signal_while_the_flow_is_imported_leaves_nothing(yard: Yard) -> None:
    yard.write(WAITING)
    yard.file.write_text("import time\nopen('begun', 'w').close()\ntime.sleep(600)\n")
    process = yard.begin("run", PWD=str(yard.folder))
    yard.wait_for(lambda: len(yard.processes()) == 2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    yard.wait_for(lambda: yard.processes() == [])


def test_a_cancelled_run_is_no_failure_of_its_tasks(yard: Yard) -> None:
    process = _begin(yard)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    run = yard.latest("Waiting")
    assert run.failed_tasks == []
    assert {task.exception.type_name for task in (run["wait"].task, run["more"].task)} == {
        "Cancelled"
    }


def test_an_interrupt_that_a_shell_ignores_is_ignored(yard: Yard) -> None:
    yard.write(
        """
    class Background(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            print("waiting", flush=True)
            while not os.path.exists(os.path.join(os.environ["YARD"], "go")):
                time.sleep(0.01)
    """
    )
    process = yard.begin("run", ignore_interrupts=True)
    assert process.stdout is not None
    assert "waiting" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    (yard.folder / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_step_of_this_process_that_swallows_interrupts_dies_by_the_third(yard: Yard) -> None:
    yard.write("""
        class Greedy(FlowSpec):
            @step
            def start(self):
                while "GO_ON" not in os.environ:
                    try:
                        print("waiting", flush=True)
                        time.sleep(600)
                    except BaseException:
                        pass
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    process = yard.begin("run", "--executor", "inline")
    assert process.stdout is not None
    for _ in range(3):
        assert "waiting" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert yard.run("resume", GO_ON="1").returncode == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 1)]
)
def test_a_signal_for_a_child_of_a_step_in_this_process_is_the_childs(
    yard: Yard, number: signal.Signals, code: int
) -> None:
    yard.write(f"""
        import multiprocessing

        class Parent(FlowSpec):
            @step(start=True, end=True)
            def only(self):
                child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
                child.start()
                time.sleep(0.2)
                os.kill(child.pid, {int(number)})
                child.join()
                self.code = child.exitcode
    """)
    ran = yard.run("run", "--executor", "inline")
    assert ran.returncode == 0, ran.stderr
    assert yard.latest("Parent").data.code == code
