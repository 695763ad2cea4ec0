"""`Runner`: flows run from programs, on threads, many at once, and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.request import urlopen

import pytest

import flowkit
from flowkit import (
    ExecutingRun,
    FlowInvalid,
    NotFound,
    Runner,
    UsageError,
)
from flowkit.runner import Printed, RunBegan, RunEnded, TaskEnded, TaskStarted

SMALL = """
import os, sys
from datetime import date
from flowkit import FlowSpec, IncludeFile, JSONType, Parameter, step

print("importing")

class Small(FlowSpec):
    alpha = Parameter("alpha", default=1.0)
    names = Parameter("names", separator=",", default="a,b")
    sizes = Parameter("sizes", type=int, multiple=True)
    conf = Parameter("conf", type=JSONType)
    day = Parameter("the-day", type=date, default=date(2026, 1, 1))
    words = IncludeFile("words")

    @step
    def start(self):
        print("hello", self.alpha)
        print("oh", file=sys.stderr)
        self.where, self.variable = os.getcwd(), os.environ.get("VARIABLE")
        self.next(self.end)

    @step
    def end(self):
        if self.alpha == 13:
            raise ValueError("unlucky")
        self.twice = self.alpha * 2
"""

WAITING = """
import os, time
from flowkit import FlowSpec, Parameter, step

class Waiting(FlowSpec):
    fifo = Parameter("fifo")

    @step
    def start(self):
        self.pid = os.getpid()
        print("waits", self.pid)
        open(self.fifo).read()
        self.next(self.end)

    @step
    def end(self):
        print("ends")
"""

FANS = """
from flowkit import FlowSpec, step

class Fans(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with flows, in which this process works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_SYNC", "0")
    (tmp_path / "small.py").write_text(SMALL)
    (tmp_path / "waiting.py").write_text(WAITING)
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


@pytest.fixture
def waiting(folder: Path) -> Iterator[ExecutingRun]:
    """Start a run whose first step waits, and whose process is known to be there."""
    with Runner("waiting.py", show_output=False).start(fifo=folder / "fifo") as running:
        next(one for one in running.events if isinstance(one, Printed))
        yield running


def waiting_pid(running: ExecutingRun) -> int:
    return int(running.stdout.split()[-1])


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_run_is_run_and_its_results_are_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Runner("small.py").run(alpha=3, tags=["one", "two"], max_workers=2) as running:
        assert (running.status, running.returncode) == ("successful", 0)
        assert running.stdout == "start | hello 3.0\n"
        assert running.stderr.startswith("importing\n")
        assert "start | oh\n" in running.stderr
    assert running.run.data is not None
    assert running.run.data.twice == 6
    assert running.run.user_tags == {"one", "two"}
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (running.stdout, running.stderr)


def test_values_arrive_as_the_types_that_the_flow_declares(folder: Path) -> None:
    (folder / "words.txt").write_text("some words")
    running = Runner("small.py", show_output=False).run(
        alpha="0.5",
        names=["x,y", "z"],
        sizes=(1, 2),
        conf={"deep": [1, None]},
        the_day="2026-02-03",
        words=Path("words.txt"),
    )
    parameters = running.run.parameters
    assert parameters.alpha == 0.5
    assert parameters.names == ["x,y", "z"]
    assert parameters.sizes == [1, 2]
    assert parameters.conf == {"deep": [1, None]}
    assert str(parameters.day) == "2026-02-03"
    assert parameters.words == "some words"


def test_no_output_is_shown_unless_it_is_wanted(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Runner("small.py", show_output=False).run().stdout
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"alpha": "much"}, "alpha"),
        ({"beta": 1}, "beta"),
        ({"conf": object()}, "conf"),
        ({"tags": 3}, "tags"),
        ({"decospecs": ["rety"]}, "rety"),
        ({"max_workers": 0}, "max_workers"),
        ({"max_num_splits": 0}, "max_num_splits"),
        ({"max_num_splits": float("nan")}, "max_num_splits"),
        ({"max_num_splits": "many"}, "max_num_splits"),
    ],
)
def test_what_does_not_fit_is_the_callers_error_and_starts_no_run(
    folder: Path, given: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(UsageError, match=wrong):
        Runner("small.py", show_output=False).run(**given)
    with pytest.raises(NotFound):
        Runner("small.py", show_output=False).resume()


def test_options_that_there_are_not_are_refused_at_once(folder: Path) -> None:
    with pytest.raises(UsageError, match="max_worker"):
        Runner("small.py", max_worker=3)
    with pytest.raises(UsageError, match="profile"):
        Runner("small.py", profile="production")
    with pytest.raises(UsageError, match="cwd"):
        Runner("small.py", cwd="nowhere")
    with pytest.raises(UsageError, match="VARIABLE"):
        Runner("small.py", env={"VARIABLE": 1})  # type: ignore[dict-item]
    with pytest.raises(NotFound):
        Runner("smal.py")
    assert (
        Runner("small.py", pylint=False, metadata="local", show_output=False).run().returncode == 0
    )


def test_a_flow_that_is_wrong_is_its_authors_error(folder: Path) -> None:
    (folder / "wrong.py").write_text("raise ValueError('no')\n")
    with pytest.raises(FlowInvalid, match="ValueError"):
        Runner("wrong.py", show_output=False).run()


def test_a_failed_run_is_told_by_its_status_and_resumed(folder: Path) -> None:
    runner = Runner("small.py", show_output=False)
    failed = runner.run(alpha=13)
    assert (failed.status, failed.returncode) == ("failed", 1)
    assert 'raise ValueError("unlucky")' in failed.stderr
    (folder / "small.py").write_text(SMALL.replace("== 13", "== 14"))
    resumed = runner.resume(origin_run_id=failed.run.id, tags="again")
    assert resumed.status == "successful"
    assert resumed.run.origin_pathspec == failed.run.pathspec
    assert resumed.run.user_tags == {"again"}
    assert "hello" not in resumed.stdout
    assert "hello" in runner.resume("start").stdout


def test_resume_changes_a_parameter_and_reuse_takes_over_what_is_known(folder: Path) -> None:
    runner = Runner("small.py", show_output=False)
    first = runner.run(alpha=1)
    changed = runner.resume(alpha=2)
    assert changed.run.data is not None
    assert (changed.run.data.twice, changed.run.origin_pathspec) == (4, first.run.pathspec)
    assert "hello 2.0" in changed.stdout
    again = runner.run(alpha=2, reuse=True)
    assert (again.status, again.stdout) == ("successful", "")
    with pytest.raises(UsageError, match="beta"):
        runner.resume(beta=1)


def test_a_fan_has_at_most_as_many_splits_as_are_allowed(folder: Path) -> None:
    (folder / "fans.py").write_text(FANS)
    runner = Runner("fans.py", show_output=False)
    assert runner.run(max_num_splits=3).status == "successful"
    assert runner.run(max_num_splits=2).status == "failed"


def test_environment_and_folder_reach_the_steps_and_leave_the_process_alone(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "flowkit.toml").write_text('user = "ada"\n')
    (other / "words.txt").write_text("elsewhere")
    before = dict(os.environ)
    env = {"VARIABLE": "value", "FLOWKIT_HOME": "kept", "FLOWKIT_RUN_ALPHA": "7"}
    runner = Runner("small.py", show_output=False, env=env, cwd=other)
    run = runner.run(words="words.txt", run_id_file="id").run
    assert run.data is not None
    assert (run.data.where, run.data.variable) == (str(other), "value")
    assert (run.data.twice, run.data.words, run.user) == (14, "elsewhere", "ada")
    assert (other / "kept").is_dir()
    assert (other / "id").read_text() == run.id
    assert (dict(os.environ), os.getcwd()) == (before, str(folder))


def test_steps_run_inline_in_the_calling_thread(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "inline_flow.py").write_text(SMALL.replace("hello", "{os.getpid()}"))
    running = Runner("inline_flow.py", executor="inline").run()
    assert running.status == "successful"
    assert running.stdout == "start | {os.getpid()} 1.0\n"
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["importing", "{os.getpid()} 1.0"]
    assert "succeeded" in printed.err
    with pytest.raises(UsageError, match="inline"):
        Runner("inline_flow.py", executor="inline").start()
    with pytest.raises(UsageError, match="inline"):
        Runner("inline_flow.py", executor="inline", cwd="/").run()


def test_a_step_maps_over_processes_whose_output_is_its_own(folder: Path) -> None:
    code = """
    from flowkit import FlowSpec, parallel_map, step

    class Maps(FlowSpec):
        @step
        def start(self):
            def square(x):
                print("squares", x)
                return x * x
            self.squares = parallel_map(square, range(3), max_parallel=1)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    (folder / "maps.py").write_text(dedent(code))
    running = Runner("maps.py", show_output=False).run()
    assert running.run["start"].task.data.squares == [0, 1, 4]
    assert running.stdout.splitlines() == [f"start | squares {x}" for x in range(3)]


def test_decorators_can_be_added_to_every_step(folder: Path) -> None:
    specs = ["retry:times=1,minutes_between_retries=0"]
    running = Runner("small.py", show_output=False, decospecs=specs).run(alpha=13)
    ends = [one for one in running.events if isinstance(one, TaskEnded)]
    assert [one.again for one in ends] == [False, True, False]


def test_events_tell_of_a_run_in_order_to_any_number_of_followers(folder: Path) -> None:
    with Runner("small.py", show_output=False).start() as running:
        events = list(running.events)
    kinds = [type(one) for one in events if not isinstance(one, Printed)]
    assert kinds == [RunBegan, TaskStarted, TaskEnded, TaskStarted, TaskEnded, RunEnded]
    assert list(running.events) == events


def test_many_runs_of_several_flows_go_on_at_once_in_threads(folder: Path) -> None:
    (folder / "other.py").write_text(SMALL.replace("Small", "Other"))

    def run(number: int) -> tuple[str, float]:
        file = ("small.py", "other.py")[number % 2]
        running = Runner(file, show_output=False, env={"VARIABLE": str(number)}).run(alpha=number)
        data = running.run.data
        assert data is not None
        assert data.variable == str(number)
        return running.run.pathspec, data.twice

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(run, range(6)))
    assert [twice for _, twice in done] == [0, 2, 4, 6, 8, 10]
    assert len({pathspec for pathspec, _ in done}) == 6


def test_a_web_server_runs_flows_in_its_threads(folder: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running = Runner("small.py", show_output=False).run(alpha=self.path[1:])
            body = json.dumps([running.status, running.run.data.twice]).encode()  # type: ignore[union-attr]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    before = signal.getsignal(signal.SIGINT)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}/"

        def ask(alpha: int) -> Any:
            with urlopen(f"{url}{alpha}") as answer:
                return json.load(answer)

        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(ask, range(3)))
        server.shutdown()
    assert answers == [["successful", 0], ["successful", 2], ["successful", 4]]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_end_of_the_block_stops_a_run_and_leaves_no_process(waiting: ExecutingRun) -> None:
    with waiting:
        assert (waiting.status, waiting.returncode) == ("running", None)
        assert waiting.run.status == "running"
    assert is_gone(waiting_pid(waiting))
    assert (waiting.status, waiting.returncode) == ("failed", 130)
    assert waiting.run.status == "cancelled"


def test_a_runners_end_stops_all_its_runs(folder: Path) -> None:
    with Runner("waiting.py", show_output=False) as runner:
        runs = [runner.start(fifo=folder / "fifo") for _ in range(2)]
    assert [one.run.status for one in runs] == ["cancelled", "cancelled"]


def test_a_stopped_run_can_be_resumed_from_the_program(folder: Path, waiting: ExecutingRun) -> None:
    waiting.terminate()
    assert waiting.join().run.status == "cancelled"
    resumed = Runner("waiting.py", show_output=False).start_resume()
    (folder / "fifo").write_text("go on")
    assert resumed.join().status == "successful"
    assert resumed.run.origin_pathspec == waiting.run.pathspec


HOOKED = """
from pathlib import Path
from flowkit import exit_hook

def tell(run):
    Path("told").write_text(run.status)
    if Path("again").exists():
        open("fifo2", "w")

@exit_hook(on_error=[tell])
class"""


def test_the_exit_hooks_of_a_stopped_run_are_called(folder: Path) -> None:
    (folder / "hooked.py").write_text(WAITING.replace("class", HOOKED))
    with Runner("hooked.py", show_output=False).start(fifo=folder / "fifo") as running:
        next(one for one in running.events if isinstance(one, Printed))
    assert (folder / "told").read_text() == "cancelled"


def test_exit_hooks_that_hang_are_given_up_when_the_run_is_stopped_again(folder: Path) -> None:
    (folder / "again").touch()
    os.mkfifo(folder / "fifo2")
    (folder / "hooked.py").write_text(WAITING.replace("class", HOOKED))
    running = Runner("hooked.py", show_output=False).start(fifo=folder / "fifo")
    next(one for one in running.events if isinstance(one, Printed))
    running.terminate()
    assert eventually((folder / "told").exists)
    running.terminate()
    assert running.join().run.status == "cancelled"
    assert "exit hooks could not be called" in running.stderr


def test_joining_with_a_limit_leaves_the_run_alone(waiting: ExecutingRun) -> None:
    assert waiting.join(timeout_s=0.01).status == "running"


def test_a_run_that_is_stopped_while_its_flow_is_imported_never_begins(folder: Path) -> None:
    (folder / "slow.py").write_text(f"open({str(folder / 'fifo')!r}).read()\n" + SMALL)
    runner = Runner("slow.py", show_output=False)
    failures: list[BaseException] = []

    def start() -> None:
        try:
            runner.start()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    with open(folder / "fifo", "w"):  # opens when the flow has opened it too
        runner.cleanup()
    thread.join()
    assert [type(one).__name__ for one in failures] == ["Abandoned"]


PROGRAM = """
import sys
from flowkit import Runner
from flowkit.runner import Printed
running = Runner("waiting.py", show_output=False).start(fifo="fifo")
next(one for one in running.events if isinstance(one, Printed))
print(running.stdout.split()[-1], running.run.id, flush=True)
"""


def program(folder: Path, code: str) -> subprocess.Popen[str]:
    root = str(Path(flowkit.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", dedent(code)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait for what other processes do, which no event tells of."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    return holds()


def test_a_program_that_ends_stops_its_runs(folder: Path) -> None:
    out, err = program(folder, PROGRAM).communicate(timeout=60)
    assert err == ""
    pid, run_id = out.split()
    assert is_gone(int(pid))
    assert flowkit.Run(f"Waiting/{run_id}", workspace=open_here()).status == "cancelled"


def test_a_run_whose_program_is_killed_leaves_no_process_and_is_resumed(folder: Path) -> None:
    process = program(folder, PROGRAM + "sys.stdin = open('fifo'); sys.stdin.read()\n")
    assert process.stdout is not None
    pid, run_id = process.stdout.readline().split()
    process.kill()
    process.communicate(timeout=60)
    assert eventually(lambda: is_gone(int(pid)))
    assert flowkit.Run(f"Waiting/{run_id}", workspace=open_here()).status == "lost"
    with Runner("waiting.py", show_output=False).start_resume() as resumed:
        (folder / "fifo").write_text("go on")
        assert resumed.join().status == "successful"
    assert resumed.run.origin_pathspec == f"Waiting/{run_id}"


def test_a_fork_of_a_killed_program_keeps_no_run_alive(folder: Path) -> None:
    forks = """
    import os, signal
    if (fork := os.fork()) == 0:
        os.close(1), os.close(2)
        signal.alarm(60)
        signal.pause()
    print(fork, flush=True)
    signal.pause()
    """
    process = program(folder, PROGRAM + dedent(forks))
    assert process.stdout is not None
    pid, fork = (int(process.stdout.readline().split()[0]) for _ in range(2))
    process.kill()
    process.communicate(timeout=60)
    try:
        assert eventually(lambda: is_gone(pid))
    finally:
        os.kill(fork, signal.SIGKILL)


def test_an_interrupt_stops_the_run_and_is_raised_when_it_has_stopped(folder: Path) -> None:
    code = """
    import os
    from flowkit import Runner
    try:
        Runner("waiting.py").run(fifo="fifo")
    except KeyboardInterrupt:
        print("interrupted")
    """
    process = program(folder, code)
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[-1])
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n"
    assert "stopping" in err
    assert is_gone(pid)


def open_here() -> Any:
    from flowkit.client import open_workspace

    return open_workspace()
