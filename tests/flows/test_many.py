"""Many runs at once, and runs of many tasks."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

from flowkit.metadata import Metadata

if TYPE_CHECKING:
    from conftest import Lab

# Memory that the driver of a wide run may use, whatever its width.
DRIVER_MEMORY_MAX_KB = 150_000


def test_runs_of_one_flow_in_many_processes_do_not_disturb_one_another(lab: Lab) -> None:
    lab.write(
        """
    class Together(FlowSpec):
        mine = Parameter("mine", default=0)

        @step
        def start(self):
            self.items = range(5)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.y = self.input * self.mine
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.y for one in inputs)
            self.next(self.end)

        @step
        def end(self):
            print(self.total)
    """
    )
    begun = [
        lab.cli("run", str(lab.file), "--mine", str(n), "--tag", f"n:{n}", wait=False)
        for n in range(6)
    ]
    outs = [process.communicate(timeout=120) for process in begun]
    assert [process.returncode for process in begun] == [0] * 6, outs
    assert [out for out, _ in outs] == [f"end | {10 * n}\n" for n in range(6)]
    runs = lab.workspace.metadata.runs("Together")
    assert sorted(one.run.id for one in runs) == [str(n) for n in range(1, 7)]
    assert {one.status for one in runs} == {"succeeded"}
    totals = {}
    for run in lab.latest("Together").parent:
        (tag,) = run.user_tags
        totals[int(tag.removeprefix("n:"))] = run.data.total
    assert totals == {n: 10 * n for n in range(6)}


def test_the_index_rebuilt_from_the_store_equals_the_one_that_runs_wrote(lab: Lab) -> None:
    lab.write(
        """
    class Mixed(FlowSpec):
        fail = Parameter("fail", default=False)

        @step
        def start(self):
            self.items = range(3)
            self.next(self.work, foreach="items")

        @catch(var="problem")
        @retry(times=1, seconds_between_retries=0)
        @step
        def work(self):
            if self.input == 1:
                os._exit(9)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            if self.fail and current.origin_run_id is None:
                raise ValueError("told to fail")
    """
    )
    assert lab.run().status == "succeeded"
    assert lab.run(fail="true").status == "failed"
    assert lab.resume().status == "succeeded"
    lab.latest("Mixed").add_tag("läuft")
    assert lab.cli("run", str(lab.file), "--tag", "second").returncode == 0
    before = lab.workspace.metadata.snapshot()
    lab.close()
    ended = lab.cli("store", "reindex")
    assert ended.returncode == 0, ended.stderr
    after = Metadata.open(lab.settings.metadata)
    assert after.snapshot() == before
    after.close()


def test_a_foreach_of_two_thousand_tasks_needs_no_more_memory(lab: Lab) -> None:
    lab.write(
        """
    class Wide(FlowSpec):
        @step
        def start(self):
            self.items = range(2_000)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.y = self.input * 2
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(one.y for one in inputs)
            self.next(self.end)

        @step
        def end(self):
            print(self.total)
    """
    )
    program = (
        "import re, sys\n"
        "from flowkit.cli import main\n"
        "code = main(sys.argv[1:])\n"
        # Of this program alone: what getrusage tells counts the process that it began as.
        "status = open('/proc/self/status').read()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    command = ["--home", str(lab.home), "run", str(lab.file), "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-c", program, *command],
        env=lab.environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"end | {sum(range(2_000)) * 2}\n"
    assert int(ended.stderr.split()[-1]) < DRIVER_MEMORY_MAX_KB
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{cpu_s / 2_003 * 1000:.2f} ms of CPU a task")
    run = lab.latest("Wide")
    assert run["work"].counts.succeeded == 2_000
    assert run["work"]["1999"].data.y == 3_998
