"""Retries, catches, timeouts and processes that die."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flowkit.runner import RunOptions, TaskEnded

if TYPE_CHECKING:
    from conftest import Lab

SOON = "seconds_between_retries=0"


def test_a_retry_counts_attempts_and_keeps_the_last_ones_artifacts(any_lab: Lab) -> None:
    ran = any_lab.run(
        f"""
    class Retrying(FlowSpec):
        @retry(times=3, {SOON})
        @step
        def start(self):
            print("attempt", current.retry_count)
            self.count = current.retry_count
            if current.retry_count < 2:
                self.early = True
                raise ValueError(f"attempt {{current.retry_count}}")
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.started == ["end/0", "start/0", "start/0#1", "start/0#2"]
    task = ran.run["start"].task
    assert (task.data.count, "early" in task, task.current_attempt) == (2, False, 2)
    assert task.stdout == "attempt 2\n"
    assert [one.stdout for one in task.attempts] == [f"attempt {n}\n" for n in range(3)]
    assert [one.status for one in task.attempts] == ["failed", "failed", "succeeded"]
    assert task.attempts[0].exception.message == "attempt 0"
    again = [one.again for one in ran.facts if isinstance(one, TaskEnded)]
    assert again == [True, True, False, False]


def test_a_task_that_never_succeeds_fails_after_its_last_retry(lab: Lab) -> None:
    ran = lab.run(
        f"""
    class Never(FlowSpec):
        @retry(times=2, {SOON})
        @step
        def start(self):
            raise ValueError(f"attempt {{current.retry_count}}")
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    assert len(ran.started) == 3
    assert (ran.failure.type_name, ran.failure.message) == ("ValueError", "attempt 2")
    assert [str(key) for key in ran.end.failed] == ["start/0"]


def test_with_adds_a_policy_to_every_step_that_has_none(lab: Lab) -> None:
    lab.write(
        """
    class With(FlowSpec):
        @step
        def start(self):
            if current.retry_count < 1:
                raise ValueError
            self.next(self.end)

        @retry(times=0)
        @step
        def end(self):
            raise KeyError("end")
    """
    )
    options = RunOptions(with_specs=("retry:times=1,seconds_between_retries=0",))
    ran = lab.run(options=options)
    assert ran.started == ["end/0", "start/0", "start/0#1"]
    assert ran.failure.type_name == "KeyError"


DEATHS = {
    "sigkill": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
    "segfault": ("__import__('ctypes').string_at(0)", "SIGSEGV"),
    "abort": ("os.abort()", "SIGABRT"),
    "leaving": ("os._exit(7)", "exit code 7"),
    "leaving well": ("os._exit(0)", "exit code 0"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_retry_survives_the_death_of_a_process(lab: Lab, death: str) -> None:
    code, told = DEATHS[death]
    ran = lab.run(
        f"""
    class Dying(FlowSpec):
        @retry(times=1, {SOON})
        @step
        def start(self):
            print("alive")
            if current.retry_count == 0:
                {code}
            self.count = current.retry_count
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("count") == 1
    first = ran.run["start"].task.attempts[0]
    assert first.exception.type_name == "ProcessDied"
    assert told in first.exception.message
    assert first.stdout == "alive\n"


@pytest.mark.parametrize(
    "code", ["os.kill(os.getpid(), signal.SIGKILL)", "__import__('ctypes').string_at(0)"]
)
def test_catch_goes_on_after_the_death_of_a_process(process_lab: Lab, code: str) -> None:
    ran = process_lab.run(
        f"""
    class CatchDeath(FlowSpec):
        @step
        def start(self):
            self.before = "kept"
            self.next(self.risky)

        @catch(var="problem")
        @retry(times=1, {SOON})
        @step
        def risky(self):
            self.lost = True
            print("attempt", current.retry_count)
            {code}
            self.next(self.end)

        @step
        def end(self):
            self.caught = [bool(self.problem), self.problem.type, self.before]
            self.caught += [hasattr(self, "lost")]
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("caught") == [True, "ProcessDied", "kept", False]
    assert ran.started == ["end/0", "risky/0", "risky/0#1", "risky/0#2", "start/0"]
    assert ran.run["risky"].task.exception.type_name == "ProcessDied"
    assert ran.run["risky"].task.stdout == "attempt 1\n"


def test_catch_takes_what_the_last_attempt_raised(any_lab: Lab) -> None:
    ran = any_lab.run(
        f"""
    class Catching(FlowSpec):
        @catch(var="problem")
        @retry(times=1, {SOON})
        @step
        def start(self):
            self.before = current.retry_count
            raise ValueError("first line\\nsecond")
            self.next(self.fine)

        @catch(var="nothing")
        @step
        def fine(self):
            self.next(self.end)

        @step
        def end(self):
            self.seen = [self.problem.type, self.problem.exception, self.before, self.nothing]
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("seen") == ["ValueError", "first line\nsecond", 1, None]
    assert 'raise ValueError("first line' in ran.run["start"].task.stderr
    assert 'raise ValueError("first line' in ran.value("problem").stacktrace


def test_catch_takes_a_step_that_leaves_the_interpreter(any_lab: Lab) -> None:
    ran = any_lab.run(
        """
    class Leaving(FlowSpec):
        @catch(var="problem")
        @step
        def start(self):
            sys.exit("no more")
            self.next(self.end)

        @step
        def end(self):
            self.seen = [self.problem.type, "no more" in self.problem.exception]
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("seen") == ["SystemExit", True]


def test_catch_goes_on_in_one_element_of_a_foreach_and_in_a_branch(lab: Lab) -> None:
    ran = lab.run(
        """
    class CatchInForeach(FlowSpec):
        @step
        def start(self):
            self.items = [1, 0, 2]
            self.next(self.divide, foreach="items")

        @catch(var="problem", print_exception=False)
        @step
        def divide(self):
            self.y = 4 // self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.got = [one.y if not one.problem else one.problem.type for one in inputs]
            self.next(self.a, self.b)

        @catch(var="problem")
        @step
        def a(self):
            raise TypeError
            self.next(self.both)

        @step
        def b(self):
            self.next(self.both)

        @step
        def both(self, inputs):
            self.merge_artifacts(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("got") == [4, "ZeroDivisionError", 2]
    assert ran.value("problem").type == "TypeError"
    assert "ZeroDivisionError" not in ran.run["divide"]["1"].stderr


def test_what_follows_a_death_is_told_even_if_it_cannot_be_caught(lab: Lab) -> None:
    ran = lab.run(
        f"""
    class Twice(FlowSpec):
        @catch(var="problem")
        @retry(times=1, {SOON})
        @step
        def start(self):
            if current.retry_count == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            import threading
            self.lock = threading.Lock()
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    assert ran.failure.type_name == "UnpicklableArtifact"
    assert [one.again for one in ran.facts if isinstance(one, TaskEnded)] == [True, False]


def test_a_timeout_is_tried_again_and_then_caught(any_lab: Lab) -> None:
    ran = any_lab.run(
        f"""
    class Timing(FlowSpec):
        @retry(times=1, {SOON})
        @timeout(seconds=1)
        @step
        def start(self):
            self.count = current.retry_count
            if current.retry_count == 0:
                time.sleep(60)
            self.next(self.slow)

        @catch(var="problem")
        @timeout(seconds=1)
        @step
        def slow(self):
            self.before = "kept"
            time.sleep(60)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert (ran.value("count"), ran.value("before")) == (1, "kept")
    assert ran.value("problem").type == "StepTimedOut"
    assert ran.run["start"].task.attempts[0].exception.type_name == "StepTimedOut"


def test_code_that_no_timeout_reaches_is_killed_after_the_grace(lab: Lab) -> None:
    ran = lab.run(
        f"""
    import re

    class Stuck(FlowSpec):
        @step
        def start(self):
            self.next(self.a, self.b)

        @retry(times=1, {SOON})
        @timeout(seconds=1)
        @step
        def a(self):
            self.count = current.retry_count
            if current.retry_count == 0:
                re.match(r"(a+)+$", "a" * 60 + "b")
            self.next(self.join)

        @catch(var="problem")
        @timeout(seconds=1)
        @step
        def b(self):
            re.match(r"(a+)+$", "a" * 60 + "b")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.merge_artifacts(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("count") == 1
    assert ran.value("problem").type == "StepTimedOut"
    assert "limit of 1 s" in ran.value("problem").exception


OVERLAP = """
    def most_at_once(spans):
        moments = [(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans]
        most = now = 0
        for _, step in sorted(moments):
            now += step
            most = max(most, now)
        return most

    class Overlap(FlowSpec):
        @step
        def start(self):
            self.items = range(6)
            self.next(self.work, foreach="items")

        @{policy}
        @step
        def work(self):
            begin = time.monotonic()
            time.sleep(0.15)
            self.span = (begin, time.monotonic())
            self.next(self.join)

        @step
        def join(self, inputs):
            self.most = most_at_once([one.span for one in inputs])
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize(
    ("policy", "settings", "most"),
    [
        ("concurrency(2)", {}, 2),
        ("resources(cpu=2, memory=1)", {"cpu": 5.0}, 2),
        ("resources(cpu=1, memory=500)", {"cpu": 8.0, "memory_mb": 1_600}, 3),
        ("resources(cpu=64, memory=10**9)", {"cpu": 8.0, "memory_mb": 1_000}, 1),
        ("resources(cpu=1, memory=1, gpu=1)", {"cpu": 8.0, "gpu": 2}, 2),
        ("retry", {"max_workers": 1}, 1),
    ],
)
def test_no_more_tasks_run_at_once_than_limits_allow(
    lab: Lab, policy: str, settings: dict[str, float], most: int
) -> None:
    lab.having(**{"max_workers": 6, **settings})
    ran = lab.run(OVERLAP.format(policy=policy))
    assert ran.status == "succeeded", ran.end
    assert 1 <= ran.value("most") <= most


def test_tasks_run_side_by_side(lab: Lab) -> None:
    lab.having(max_workers=6)
    ran = lab.run(
        """
    class Meeting(FlowSpec):
        @step
        def start(self):
            self.folder = current.tempdir + "-meeting"
            os.mkdir(self.folder)
            self.items = range(4)
            self.next(self.wait, foreach="items")

        @timeout(seconds=60)
        @step
        def wait(self):
            open(f"{self.folder}/{self.input}", "w").close()
            while len(os.listdir(self.folder)) < 4:
                time.sleep(0.01)
            self.next(self.join)

        @step
        def join(self, inputs):
            __import__("shutil").rmtree(inputs[0].folder)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end


def test_a_failure_lets_running_tasks_end_and_starts_no_more(lab: Lab) -> None:
    lab.having(max_workers=2)
    ran = lab.run(
        """
    class Failing(FlowSpec):
        @step
        def start(self):
            self.items = range(50)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            if self.input == 0:
                raise ValueError("first")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    assert ran.failure.message == "first"
    assert len(ran.started) < 50


def test_a_step_that_kills_the_process_above_it_is_tried_again(lab: Lab) -> None:
    ran = lab.run(
        f"""
    class Patricide(FlowSpec):
        @retry(times=1, {SOON})
        @step
        def start(self):
            self.count = current.retry_count
            if current.retry_count == 0:
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(30)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.value("count") == 1


def test_a_failure_may_hold_what_is_no_text(any_lab: Lab) -> None:
    ran = any_lab.run(
        """
    class Odd(FlowSpec):
        @step
        def start(self):
            open(b"/nowhere/\\xff".decode("utf-8", "surrogateescape"))
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    assert ran.failure.type_name == "FileNotFoundError"
    assert "\\udcff" in ran.failure.message


def test_a_failure_is_told_by_a_step_that_closed_its_output(lab: Lab) -> None:
    ran = lab.run(
        """
    class Closed(FlowSpec):
        @step
        def start(self):
            sys.stdout.close()
            sys.stderr.close()
            raise ValueError("told")
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert (ran.failure.type_name, ran.failure.message) == ("ValueError", "told")


def test_an_environment_variable_is_set_for_its_step_only(any_lab: Lab) -> None:
    ran = any_lab.run(
        """
    class Variables(FlowSpec):
        @environment(vars={"LAB_COLOUR": "grün"})
        @step
        def start(self):
            self.inside = subprocess.check_output(["sh", "-c", "printf %s $LAB_COLOUR"]).decode()
            self.next(self.end)

        @step
        def end(self):
            self.outside = os.environ.get("LAB_COLOUR")
    """
    )
    assert (ran.value("inside"), ran.value("outside")) == ("grün", None)


def test_a_task_ends_when_its_threads_and_exits_have(process_lab: Lab) -> None:
    ran = process_lab.run(
        """
    import atexit, threading

    def note(word):
        print(word)

    atexit.register(lambda: None)

    class Ending(FlowSpec):
        @step(start=True, end=True)
        def only(self):
            from concurrent.futures import ThreadPoolExecutor
            self.pool_is_left_open = True
            ThreadPoolExecutor(2).submit(lambda: (time.sleep(0.2), note("pool")))
            threading.Thread(target=lambda: (time.sleep(0.3), note("thread"))).start()
            atexit.register(note, "exit")
            note("step")
    """
    )
    assert ran.status == "succeeded", ran.end
    assert ran.run["only"].task.stdout.split() == ["step", "pool", "thread", "exit"]
