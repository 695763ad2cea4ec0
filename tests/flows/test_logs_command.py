"""`logs --follow` and `logs scrub`, beside real runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

if TYPE_CHECKING:
    from conftest import Lab

SLOW = """
    class Flow(FlowSpec):
        @step
        def start(self):
            print("one")
            print("half a ", end="", flush=True)
            while not os.path.exists(GO):
                time.sleep(0.01)
            print("line")
            print("to stderr", file=sys.stderr)
            self.next(self.end)

        @retry(times=1, minutes_between_retries=0)
        @step
        def end(self):
            print("attempt", current.retry_count)
            if current.retry_count == 0:
                raise ValueError("again")
"""


def slow(lab: Lab) -> None:
    lab.write(f"    GO = {str(lab.folder / 'go')!r}\n" + SLOW)


def test_follow_shows_lines_as_they_come_and_ends_with_the_run(lab: Lab) -> None:
    slow(lab)
    run = lab.cli("run", str(lab.file), wait=False)
    while not lab.cli("list", "tasks", "Flow/1").stdout:
        pass
    following = lab.cli("logs", "Flow/1", "-f", wait=False)
    assert following.stdout.readline() == "start | one\n"
    (lab.folder / "go").touch()
    said, _ = following.communicate(timeout=60)
    run.communicate(timeout=60)
    assert (following.returncode, run.returncode) == (0, 0)
    lines = said.splitlines()
    assert lines[:2] == ["start | half a line", "start | to stderr"]
    assert [one for one in lines if "attempt" in one] == ["end | attempt 0", "end | attempt 1"]
    assert any("ValueError: again" in one for one in lines)


def test_follow_of_an_ended_task_prints_all_of_it_at_once(lab: Lab) -> None:
    (lab.folder / "go").touch()
    slow(lab)
    lab.run()
    done = lab.cli("logs", "Flow/1/start/0", "--follow", "--stdout")
    assert (done.returncode, done.stdout) == (0, "one\nhalf a line\n")
    assert lab.cli("logs", "show", "Flow/1/start", "--both").stdout.endswith("to stderr\n")
    refused = lab.cli("logs", "Flow/1", "-f", "--json")
    assert refused.returncode == 2
    assert "`--follow` shows all attempts" in refused.stderr


def test_follow_ends_when_interrupted(lab: Lab) -> None:
    slow(lab)
    run = lab.cli("run", str(lab.file), wait=False)
    while not lab.cli("list", "tasks", "Flow/1").stdout:
        pass
    following = lab.cli("logs", "Flow/1", "-f", wait=False)
    assert following.stdout.readline() == "start | one\n"
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=60)
    assert following.returncode == 130
    (lab.folder / "go").touch()
    run.communicate(timeout=60)


SECRET = """
    class Flow(FlowSpec):
        @retry(times=1, minutes_between_retries=0)
        @step(start=True, end=True)
        def only(self):
            print("secret out", current.retry_count)
            print("secret err", current.retry_count, file=sys.stderr)
            if current.retry_count == 0:
                os._exit(3)
"""


def logs_of(lab: Lab, *more: str) -> str:
    text: str = lab.cli("logs", "Flow/1/only/0", *more).stdout
    return text


def test_scrub_replaces_the_latest_log_or_all(lab: Lab) -> None:
    lab.run(SECRET)
    done = lab.cli("logs", "scrub", "Flow/1/only")
    assert done.stdout == "scrubbed 1 log\n"
    for stream in ("--stdout", "--stderr"):
        assert logs_of(lab, stream).startswith("[flowkit: scrubbed by tester at ")
    assert "secret" not in logs_of(lab)
    assert "secret out 0" in logs_of(lab, "--attempt", "0")
    assert lab.cli("logs", "scrub", "Flow/1", "--all").stdout == "scrubbed 2 logs\n"
    assert "secret" not in logs_of(lab, "--attempt", "0")
    stored = b"".join(path.read_bytes() for path in lab.home.rglob("*.log"))
    assert b"secret" not in stored
    assert lab.cli("store", "verify").returncode == 0


@pytest.mark.parametrize(
    ("option", "kept", "gone"), [("--stdout", "err", "out"), ("--stderr", "out", "err")]
)
def test_scrub_of_one_stream_keeps_the_other(lab: Lab, option: str, kept: str, gone: str) -> None:
    lab.run(SECRET)
    lab.cli("logs", "scrub", "Flow/1/only", option)
    assert f"secret {kept} 1" in logs_of(lab)
    assert f"secret {gone}" not in logs_of(lab)


def test_scrub_leaves_what_still_runs_unless_told_otherwise(lab: Lab) -> None:
    slow(lab)
    run = lab.cli("run", str(lab.file), wait=False)
    while "one" not in lab.cli("logs", "Flow/1").stdout:
        pass
    assert "left Flow/1/start/0, which still runs" in lab.cli("logs", "scrub", "Flow/1").stdout
    lab.cli("logs", "scrub", "Flow/1", "--include-not-done")
    (lab.folder / "go").touch()
    run.communicate(timeout=60)
    said = lab.cli("logs", "Flow/1/start").stdout
    assert "scrubbed by tester" in said
    assert "one" not in said
    assert "line" in said


def test_options_of_run_limit_splits_and_logs_and_tell_the_run(lab: Lab) -> None:
    lab.write("""
    class Flow(FlowSpec):
        @step
        def start(self):
            print("x" * 5000)
            self.items = range(4)
            self.next(self.each, foreach="items")

        @step
        def each(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self): ...
    """)
    told = lab.folder / "attributes.json"
    options = ["--max-num-splits", "3", "--max-log-size", "0.001"]
    few = lab.cli("run", str(lab.file), *options, "--runner-attribute-file", str(told))
    assert few.returncode == 1
    assert "fans out to 4 tasks, more than `--max-num-splits 3`" in few.stderr
    assert "the limit of 1000 bytes" in lab.cli("logs", "Flow/1/start").stdout
    attributes = msgspec.json.decode(told.read_bytes())
    assert attributes == {
        "flow_name": "Flow",
        "run_id": "1",
        "metadata": f"local@{lab.home}",
    }
    assert lab.cli("run", str(lab.file), "--max-num-splits", "4").returncode == 0


def test_flow_script_prints_its_graph_for_other_programs(lab: Lab) -> None:
    slow(lab)
    dot = lab.cli("output-dot", str(lab.file))
    assert dot.stdout == lab.cli("graph", str(lab.file), "--format", "dot").stdout
    raw = lab.cli("output-raw", str(lab.file), "--json")
    assert msgspec.json.decode(raw.stdout)["flow"] == "Flow"
