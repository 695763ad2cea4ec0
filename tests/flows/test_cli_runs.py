"""The command line as a person meets it: real flow files, run by real processes."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

FLOW = '''\
from flowkit import FlowSpec, Parameter, step


class Letters(FlowSpec):
    """Spells letters."""

    letters = Parameter("letters", default="abc", help="What to spell.")
    how_often = Parameter("how_often", default=1, type=int)
    kind = Parameter("kind", default="x", multiple=True)
    bad = Parameter("bad", default="")
    wait = Parameter("wait", default=False)

    @step
    def start(self):
        """Splits the word."""
        print("spelling", self.letters)
        self.each = list(self.letters)
        self.next(self.spell, foreach="each")

    @step
    def spell(self):
        import sys, time
        print("letter", self.input * self.how_often)
        print("to stderr", file=sys.stderr)
        if self.wait:
            print("waiting", flush=True)
            time.sleep(60)
        if self.input == self.bad:
            raise ValueError(f"cannot spell {self.input}")
        self.spelt = self.input.upper()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.word = "".join(one.spelt for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("word", self.word)


if __name__ == "__main__":
    Letters()
'''

FAULTY = """\
from flowkit import FlowSpec, step


class Faulty(FlowSpec):
    @step
    def start(self):
        self.next(self.midle)

    @step
    def middle(self):
        self.next(self.end)

    @step
    def end(self):
        pass
"""

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a process left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return msgspec.json.decode(self.out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "letters.py").write_text(FLOW)
    (tmp_path / "faulty.py").write_text(FAULTY)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FLOWKIT_")}
    return {**clean, "FLOWKIT_SYNC": "false", "FLOWKIT_USER": "ann", **more}


@pytest.fixture
def flowkit(folder: Path) -> Call:
    """Run `flowkit ...` in the folder: `flowkit("run", "letters.py")`."""

    def run_process(*words: str, program: tuple[str, ...] = ("-m", "flowkit"), **more: str) -> Said:
        done = subprocess.run(
            [sys.executable, *program, *words],
            cwd=folder,
            env=environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run_process


@pytest.fixture
def script(flowkit: Call) -> Call:
    """Run `python letters.py ...` in the folder."""
    return lambda *words, **more: flowkit(*words, program=("letters.py",), **more)


def test_a_flow_runs_and_can_be_looked_at(flowkit: Call) -> None:
    said = flowkit("run", "letters.py", "--letters", "xy", "--how-often", "2", "--tag", "first")
    assert said.code == 0
    assert said.out.splitlines()[0] == "start | spelling xy"
    assert sorted(said.out.splitlines()[1:3]) == ["spell[0] | letter xx", "spell[1] | letter yy"]
    assert said.out.splitlines()[-1] == "end | word XY"
    assert "spell[1] | to stderr" in said.err
    bare = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in said.err.splitlines()]
    assert bare[0] == "run Letters/1 started"
    assert "spell[1] attempt 0 started" in bare
    assert re.fullmatch(
        r"run Letters/1 succeeded .*; look at it with `flowkit show Letters/1`", bare[-1]
    )
    (run,) = flowkit("list", "runs", "--json").json["runs"]
    assert (run["run"], run["status"], run["tags"]) == ("Letters/1", "succeeded", ["first"])
    assert flowkit("logs", "Letters/1/spell/1", "--stdout").out == "letter yy\n"
    dumped = flowkit("dump", "Letters/1/end", "--include", "word", "--json").json
    assert dumped["tasks"]["Letters/1/end/0"]["word"]["value"] == "XY"


def test_options_may_come_before_the_flow(flowkit: Call) -> None:
    said = flowkit("run", "--how_often", "3", "--quiet", "--letters=z", "letters.py")
    assert (said.code, said.err) == (0, "spell[0] | to stderr\n")
    assert "spell[0] | letter zzz" in said.out.splitlines()


def test_options_and_parameters_may_come_from_the_environment(flowkit: Call) -> None:
    said = flowkit(
        "run", "letters.py", FLOWKIT_RUN_LETTERS="q", FLOWKIT_RUN_TAG="tagged", FLOWKIT_QUIET="1"
    )
    assert said.code == 0
    assert "spell[0] | letter q" in said.out.splitlines()
    assert flowkit("list", "runs", "--tag", "tagged", "--json").json["runs"]


def test_help_lists_the_flows_parameters(flowkit: Call) -> None:
    said = flowkit("run", "letters.py", "--help")
    assert said.code == 0
    section = said.out.partition("Parameters:\n")[2].partition("\n\n")[0]
    assert "What to spell.  [default: abc]" in section
    assert "--how_often, --how-often INT" in section
    assert "may be repeated" in section
    assert "--max-workers" not in section


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["letters.py", "--leters", "x"], "`--leters` is no option", "did you mean `--letters`?"),
        (["letters.py", "--how-often", "x"], "`how_often`", "--how_often"),
        (["letters.py", "--letters"], "`--letters` requires an argument", "--help"),
        (["letters.py", "more"], "unexpected extra argument", "--help"),
        (["leters.py"], "there is no file `leters.py`", "letters.py"),
        (["letters.py:Nope"], "`Nope`", "Letters"),
        (["letters.py", "--max-workers", "0"], "`--max-workers`", "--help"),
        (["letters.py", "--executor", "moon"], "no executor `moon`", "inline"),
        (["letters.py", "--with", "retyr"], "`retyr`", "retry"),
    ],
)
def test_wrong_usage_starts_no_run(flowkit: Call, words: list[str], error: str, hint: str) -> None:
    said = flowkit("run", *words)
    assert (said.code, said.out) == (2, "")
    first, _, advice = said.err.partition("\n\nhint: ")
    assert first.startswith("error: ")
    assert error in first
    assert hint in advice
    assert flowkit("list", "runs").out == ""


def test_all_faults_are_reported_together_with_their_places(flowkit: Call, folder: Path) -> None:
    for command in ("check", "run", "resume", "show", "graph"):
        said = flowkit(command, "faulty.py")
        assert (said.code, said.out) == (3, "")
        lines = said.err.splitlines()
        assert lines[0].startswith("error: ")
        assert any(line.startswith("faulty.py:7: ") and "midle" in line for line in lines)
        assert any(line.startswith("faulty.py:10: ") or "middle" in line for line in lines)
        assert "  hint: " in said.err
    document = flowkit("check", "faulty.py", "--json").json
    assert (document["ok"], document["flow"]) == (False, "Faulty")
    assert "target-unknown" in [fault["rule"] for fault in document["faults"]]
    assert not (folder / ".flowkit").exists()


def test_a_good_flow_is_checked_shown_and_drawn(flowkit: Call) -> None:
    said = flowkit("check", "letters.py")
    assert (said.code, said.out) == (0, "ok: Letters (letters.py): 4 steps, 5 parameters\n")
    assert flowkit("check", "letters.py", "--json").json["ok"] is True
    shown = flowkit("show", "letters.py").out
    assert shown.startswith("Letters  letters.py\n  Spells letters.\n")
    assert "Splits the word." in shown
    assert flowkit("show", "letters.py", "--json").json["graph"]["schema"] == "flowkit.graph/1"
    assert "spell" in flowkit("graph", "letters.py").out


def test_a_file_that_cannot_be_imported_shows_the_users_traceback(
    flowkit: Call, folder: Path
) -> None:
    (folder / "broken.py").write_text("def f():\n    return 1 / 0\nf()\n")
    said = flowkit("run", "broken.py")
    assert said.code == 3
    assert "ZeroDivisionError" in said.err.splitlines()[0]
    assert 'broken.py", line 2, in f' in said.err
    assert "flowkit/" not in said.err


def test_a_failure_names_the_step_shows_the_traceback_once_and_can_be_resumed(
    flowkit: Call, folder: Path
) -> None:
    said = flowkit("run", "letters.py", "--bad", "b", "--run-id-file", "id.txt")
    assert said.code == 1
    report = said.err.partition("error: ")[2]
    assert report.startswith("`spell[1]` failed\n\nTraceback (most recent call last):\n")
    assert report.endswith(
        "ValueError: cannot spell b\n\nhint: fix it, then `flowkit resume letters.py`\n"
    )
    assert said.err.count("Traceback (most recent call last)") == 1
    assert (folder / "id.txt").read_text() == "1"
    shown = flowkit("show", "Letters/1")
    assert "failed: Letters/1/spell/1" in shown.out
    source = (folder / "letters.py").read_text()
    (folder / "letters.py").write_text(source.replace("== self.bad", "== '!'"))
    again = flowkit("resume", "letters.py", "--origin-run-id", "1", "--run-id-file", "id.txt")
    assert (again.code, again.out.splitlines()[-1]) == (0, "end | word ABC")
    assert "start cloned 1 task of Letters/1" in again.err
    run = (folder / "id.txt").read_text()
    assert flowkit("show", f"Letters/{run}", "--json").json["origin"] == "Letters/1"
    assert flowkit("resume", "letters.py", "nostep").code == 2
    assert flowkit("resume", "letters.py", "--origin-run-id", "99").code == 2


def test_a_script_has_the_same_commands_without_naming_itself(script: Call) -> None:
    alone = script()
    assert (alone.code, alone.out.split(":")[0]) == (0, "ok")
    assert "python letters.py run" in alone.err
    said = script("--with", "retry:times=1", "--quiet", "run", "--letters", "hi")
    assert (said.code, said.out.splitlines()[-1]) == (0, "end | word HI")
    assert script("logs", "1/spell/1", "--stdout").out == "letter i\n"
    assert script("logs", "Letters/1/spell/1", "--stdout").out == "letter i\n"
    assert script("--quiet", "logs", "--stdout", "1/spell").out == "letter h\nletter i\n"
    assert script("show", "1").out.startswith("Letters/1  succeeded")
    assert script("show").out.startswith("Letters  letters.py")
    assert script("graph", "1").code == 0
    assert script("tag", "add", "1", "done").out == "done\n"
    assert script("dump", "1/end", "--include", "word").out.splitlines() == [
        "Letters/1/end/0",
        "  word = 'HI'",
    ]
    (run,) = script("list", "runs", "--json").json["runs"]
    assert run["tags"] == ["done"]
    resumed = script("resume", "end")
    assert (resumed.code, resumed.out) == (0, "end | word HI\n")


def test_a_script_takes_the_options_that_scripts_are_used_to(script: Call, folder: Path) -> None:
    said = script(
        "--no-pylint", "--datastore", "local", "--metadata", "local", "--environment", "local",
        "--package-suffixes", ".csv", "--datastore-root", "kept", "--quiet", "run",
    )  # fmt: skip
    assert said.code == 0
    assert (folder / "kept" / "runs" / "Letters" / "1").is_dir()
    refused = script("--datastore", "s3", "run")
    assert refused.code == 2
    assert "`--datastore s3`" in refused.err


@pytest.mark.parametrize("executor", ["local", "process", "inline"])
def test_a_script_may_lack_the_guard_around_its_last_line(
    flowkit: Call, folder: Path, executor: str
) -> None:
    (folder / "bare.py").write_text(FLOW.partition("\n\nif __name__")[0] + "\n\nLetters()\n")
    words = ("--executor", executor, "--letters", "x", "--quiet")
    for said in (
        flowkit("run", "bare.py", *words),
        flowkit("run", *words, program=("bare.py",)),
    ):
        assert (said.code, said.out.splitlines()[-1].removeprefix("end | ")) == (0, "word X")
    assert len(flowkit("list", "runs", "--json").json["runs"]) == 2


def test_a_resumed_run_takes_no_parameters(flowkit: Call) -> None:
    said = flowkit("resume", "letters.py", "--letters", "x")
    assert said.code == 2
    assert "a resumed run keeps its parameters" in said.err
    near = flowkit("resume", "letters.py", "--orgin-run-id", "1")
    assert near.code == 2
    assert "did you mean `--origin-run-id`?" in near.err


def test_usage_of_a_script_names_no_flow(script: Call) -> None:
    said = script("run", "--help")
    assert said.out.startswith("Usage: python letters.py run [OPTIONS]\n")
    assert "python letters.py run --alpha 0.5 --tag nightly" in said.out
    failed = script("run", "--bad", "a", "--letters", "a")
    assert failed.err.endswith("hint: fix it, then `python letters.py resume`\n")


def test_with_adds_a_retry_to_every_step(flowkit: Call) -> None:
    said = flowkit(
        "run", "letters.py", "--letters", "b", "--bad", "b",
        "--with", "retry:times=1,minutes_between_retries=0",
    )  # fmt: skip
    assert said.code == 1
    assert "spell[0] attempt 0 failed" in said.err
    assert "will be tried again" in said.err
    assert "spell[0] attempt 1 failed" in said.err
    assert flowkit("logs", "Letters/1/spell/0", "--attempt", "0", "--stdout").out == "letter b\n"


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_the_executor_can_be_chosen(flowkit: Call, executor: str) -> None:
    said = flowkit("run", "letters.py", "--letters", "o", "--executor", executor)
    assert said.code == 0
    assert "word O" in said.out
    assert flowkit("logs", "Letters/1/end").out == "word O\n"


def test_an_interrupted_run_is_cancelled_and_recorded(flowkit: Call, folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "flowkit", "run", "letters.py", "--wait", "true"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while "waiting" not in (line := process.stdout.readline()):
        assert line, "the run ended before it waited"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelled; go on with `flowkit resume letters.py`" in err
    assert "spell[0] attempt 0 cancelled" in err
    assert flowkit("show", "Letters/1", "--json").json["status"] == "cancelled"


def test_a_reader_that_goes_away_does_not_end_the_run(flowkit: Call, folder: Path) -> None:
    command = f"{sys.executable} -m flowkit run letters.py | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"
    assert "Exception ignored" not in done.stderr
    assert flowkit("show", "Letters/1", "--json").json["status"] == "succeeded"


def on_a_terminal(folder: Path, *words: str, **more: str) -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and all it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowkit", *words],
        cwd=folder,
        env=environment(**{"TERM": "xterm-256color", **more}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    raw = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break  # Linux says so when the last writer has closed the terminal
        raw += part
        if not part:
            break
    os.close(ours)
    return process.wait(60), raw.decode()


def test_a_terminal_is_shown_a_picture_and_gets_its_cursor_back(folder: Path) -> None:
    code, raw = on_a_terminal(folder, "run", "letters.py")
    assert code == 0
    assert raw.rindex("\x1b[?25h") > raw.rindex("\x1b[?25l")
    final = raw[raw.rindex("\x1b[2K") :]
    plain = re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", final).splitlines()
    steps = [line.split()[1] for line in plain if line.startswith("✓ ")]
    assert steps == ["start", "spell", "join", "end"]
    assert "3/3" in final
    assert "look at it with `flowkit show Letters/1`" in plain[-1]


@pytest.mark.parametrize(
    ("words", "more"),
    [(["--executor", "inline"], {}), (["--progress", "plain"], {}), ([], {"TERM": "dumb"})],
)
def test_a_picture_is_not_shown_where_it_would_be_in_the_way(
    folder: Path, words: list[str], more: dict[str, str]
) -> None:
    """Steps of the inline executor write, and ask a debugger, where they like."""
    code, raw = on_a_terminal(folder, "run", "letters.py", *words, **more)
    assert code == 0
    assert "\x1b[2K" not in raw
    assert "\x1b[?25l" not in raw
    assert "join attempt 0 succeeded" in raw


def test_no_color_means_no_colour_and_plain_progress_no_picture(folder: Path) -> None:
    code, raw = on_a_terminal(folder, "run", "letters.py", "--progress", "plain", NO_COLOR="1")
    assert code == 0
    assert "\x1b" not in raw
    code, raw = on_a_terminal(folder, "list", "runs", NO_COLOR="1")
    assert (code, "\x1b" in raw) == (0, False)
    code, raw = on_a_terminal(folder, "list", "runs")
    assert (code, "\x1b[1m" in raw) == (0, True)


def test_deleting_asks_on_a_terminal(folder: Path, flowkit: Call) -> None:
    assert flowkit("run", "letters.py", "--quiet").code == 0
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowkit", "run", "delete", "Letters/1"],
        cwd=folder,
        env=environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, b"n\n")
    out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (130, "")
    assert "Delete Letters/1 for good?" in err
    assert flowkit("show", "Letters/1").code == 0
