"""How a run's progress is told: as lines, and as a picture on a terminal."""

from __future__ import annotations

import os
import pty
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, ConsoleDimensions

from flowkit.cli.counts import RunCounts
from flowkit.cli.lines import Lines
from flowkit.cli.live import LiveProgress
from flowkit.cli.picture import RunPicture
from flowkit.cli.plain import PlainProgress
from flowkit.cli.text import cell_width
from flowkit.graph import FlowDescription, Graph, Kind, Node, Place
from flowkit.records import RunEnd, RunRecord
from flowkit.runner import (
    Idled,
    Noticed,
    Printed,
    RunBegan,
    RunEnded,
    RunFact,
    TaskEnded,
    TasksCloned,
    TaskStarted,
)
from flowkit.values import Attempt, Digest, Failure, RunId, TaskKey

NOW = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)
RUN = RunId("Wide", "3")
FAILURE = Failure(
    type_name="ValueError",
    message="no\nluck",
    traceback="Traceback (most recent call last):\n  line\nValueError: no\nluck\n",
)


def node(name: str, kind: Kind, *targets: str, is_join: bool = False) -> Node:
    return Node(name=name, kind=kind, place=Place("wide.py", 1), targets=targets, is_join=is_join)


def flow(*nodes: Node) -> FlowDescription:
    return FlowDescription(
        name="Wide", file="wide.py", start=nodes[0].name, end=nodes[-1].name, nodes=nodes
    )


WIDE = flow(
    node("start", Kind.FOREACH, "outer"),
    node("outer", Kind.FOREACH, "inner"),
    node("inner", Kind.LINEAR, "within"),
    node("within", Kind.LINEAR, "gather", is_join=True),
    node("gather", Kind.LINEAR, "end", is_join=True),
    node("end", Kind.END),
)
LONG = flow(
    *(node(f"step{at}", Kind.LINEAR, f"step{at + 1}") for at in range(40)),
    node("step40", Kind.END),
)


def began(description: FlowDescription = WIDE, origin: RunId | None = None) -> RunBegan:
    record = RunRecord(
        run=RUN,
        description=description,
        parameters=Digest(bytes(32)),
        started_at=NOW,
        user="ann",
        origin=origin,
    )
    return RunBegan(record, tuple(Graph(description)))


def started(step: str, *path: int, number: int = 0) -> TaskStarted:
    return TaskStarted(Attempt(TaskKey(step, path), number), NOW)


def ended(step: str, *path: int, number: int = 0, **more: Any) -> TaskEnded:
    attempt = Attempt(TaskKey(step, path), number)
    status = "failed" if more.get("failure") else "succeeded"
    return TaskEnded(attempt, NOW + timedelta(seconds=2), status, 2.0, **more)  # type: ignore[arg-type]


def printed(text: str, step: str = "start", *path: int, stream: Any = "stdout") -> Printed:
    return Printed(Attempt(TaskKey(step, path), 0), stream, NOW, text)


def over(status: Any = "succeeded") -> RunEnded:
    return RunEnded(RunEnd(run=RUN, status=status, finished_at=NOW), 12.5)


def lines_told(*facts: RunFact, **options: Any) -> tuple[list[str], list[str]]:
    """Return the lines on stdout and, without their clocks, those on stderr."""
    out, err = StringIO(), StringIO()
    progress = PlainProgress(stdout=out, stderr=err, **options)
    for fact in facts:
        progress(fact)
    progress.close()
    bare = [re.sub(r"^\d\d:\d\d:\d\d ", "@ ", line) for line in err.getvalue().splitlines()]
    return out.getvalue().splitlines(), bare


def test_each_change_of_a_task_is_one_line() -> None:
    _, lines = lines_told(
        began(),
        started("start"),
        ended("start", width=2),
        started("outer", 1),
        ended("outer", 1, failure=FAILURE, again=True),
        ended("outer", 1, number=1, caught=FAILURE),
        ended("gather", choice="end"),
        over(),
    )
    assert lines == [
        "@ run Wide/3 started",
        "@ start attempt 0 started",
        "@ start attempt 0 succeeded 2.0s, 2 items",
        "@ outer[1] attempt 0 started",
        "@ outer[1] attempt 0 failed 2.0s: ValueError: no luck; will be tried again",
        "@ outer[1] attempt 1 succeeded 2.0s, caught ValueError: no luck",
        "@ gather attempt 0 succeeded 2.0s, goes on to end",
        "@ run Wide/3 succeeded 12.5s; look at it with `flowkit show Wide/3`",
    ]


def test_what_tasks_print_goes_where_they_printed_it_verbatim() -> None:
    out, err = lines_told(
        printed("  a\tb  ", "outer", 3), printed("careful", stream="stderr"), printed("")
    )
    assert out == ["outer[3] |   a\tb  ", "start | "]
    assert err == ["start | careful"]


def test_without_transitions_only_output_is_shown() -> None:
    out, err = lines_told(
        began(), started("start"), printed("x"), Noticed("n"), over(), transitions=False
    )
    assert (out, err) == (["start | x"], [])


def test_a_resumed_run_says_what_it_took_over() -> None:
    origin = RunId("Wide", "2")
    keys = (TaskKey("start"), TaskKey("outer", (0,)), TaskKey("outer", (1,)))
    _, lines = lines_told(began(origin=origin), TasksCloned(keys, "Wide/2"), Noticed("slow"))
    assert lines == [
        "@ run Wide/3 started, which resumes Wide/2",
        "@ start cloned 1 task of Wide/2",
        "@ outer cloned 2 tasks of Wide/2",
        "note: slow",
    ]


def test_the_traceback_that_the_end_will_show_is_not_shown_before() -> None:
    lines = FAILURE.traceback.splitlines()
    told = [printed(line, stream="stderr") for line in lines]
    _, err = lines_told(*told, ended("start", failure=FAILURE))
    assert err == ["@ start attempt 0 failed 2.0s: ValueError: no luck"]


@pytest.mark.parametrize(
    "end",
    [
        ended("start", failure=FAILURE, again=True),
        ended("start"),
        Idled(NOW + timedelta(seconds=9)),
        ended("start", failure=Failure(type_name="ValueError", message="x", traceback="other")),
    ],
)
def test_every_other_traceback_is_shown(end: RunFact) -> None:
    lines = FAILURE.traceback.splitlines()
    _, err = lines_told(*(printed(line, stream="stderr") for line in lines), end)
    assert err[: len(lines)] == [f"start | {line}" for line in lines]


def test_the_second_failures_traceback_is_shown_as_it_comes() -> None:
    first = ended("outer", 0, failure=Failure(type_name="E", message="", traceback=""))
    lines = FAILURE.traceback.splitlines()
    _, err = lines_told(
        first,
        *(printed(line, stream="stderr") for line in lines),
        ended("start", failure=FAILURE),
    )
    assert [f"start | {line}" for line in lines] == err[1 : 1 + len(lines)]


def test_a_reader_that_goes_away_does_not_stop_the_run() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    err = StringIO()
    with open(write_end, "w", buffering=1) as out:
        lines = Lines(out, err)
        for at in range(3):
            lines.write("stdout", f"{at}\n")
            lines.write("stderr", f"{at}\n")
        lines.flush()
    assert err.getvalue() == "0\n1\n2\n"


def test_output_that_cannot_be_written_does_not_stop_the_run() -> None:
    err = StringIO()
    with open("/dev/full", "w", buffering=1) as out:
        lines = Lines(out, err)
        for at in range(3):
            lines.write("stdout", f"{at}\n")
            lines.write("stderr", f"{at}\n")
        lines.flush()
    first, *rest = err.getvalue().splitlines()
    assert "stdout cannot be written any more: no space left on device" in first
    assert rest == ["0", "1", "2"]


def told(*facts: RunFact) -> RunCounts:
    counts = RunCounts()
    for fact in facts:
        counts.tell(fact)
    return counts


def test_a_fan_out_says_how_many_tasks_there_will_be() -> None:
    counts = told(
        began(),
        started("start"),
        ended("start", width=2),
        started("outer", 0),
        ended("outer", 0, width=5),
        started("outer", 1),
        ended("outer", 1, width=4),
    )
    assert {name: step.expected for name, step in counts.steps.items()} == {
        "start": 1,
        "outer": 2,
        "inner": 9,
        "within": 2,
        "gather": 1,
        "end": 1,
    }
    assert counts.steps["outer"].is_over
    assert not counts.steps["inner"].is_begun


def test_a_resumed_fan_out_says_how_many_tasks_there_will_be() -> None:
    start, first = TaskKey("start"), TaskKey("outer", (0,))
    counts = told(
        began(),
        TasksCloned((start, first), "Wide/2", {start: 3, first: 4}),
        started("inner", 0, 0),
    )
    outer, inner = counts.steps["outer"], counts.steps["inner"]
    assert (outer.done, outer.total, outer.is_over) == (1, 3, False)
    assert (inner.running, inner.total) == (1, 4)


def test_retries_clones_and_cancellations_are_counted_apart() -> None:
    cancelled = Failure(type_name="Cancelled", message="the run was cancelled")
    counts = told(
        began(),
        TasksCloned((TaskKey("start"),), "Wide/2"),
        started("outer", 0),
        ended("outer", 0, failure=FAILURE, again=True),
        started("outer", 0, number=1),
        ended("outer", 0, number=1, failure=FAILURE),
        started("outer", 1),
        ended("outer", 1, failure=cancelled),
        started("outer", 2),
    )
    outer = counts.steps["outer"]
    assert (outer.again, outer.failed, outer.cancelled, outer.running) == (1, 1, 1, 1)
    assert counts.steps["start"].done == counts.steps["start"].cloned == 1
    assert counts.steps["start"].seconds(NOW) is None


def console_of(file: TextIO, *, width: int = 100, height: int = 30) -> Console:
    return Console(file=file, width=width, height=height, get_time=lambda: 0.0)


def text_of(counts: RunCounts, *, encoding: str = "utf-8", **size: int) -> list[str]:
    """Return the lines of a picture nine seconds into the run, as a terminal would get them."""
    console = console_of(TextIOWrapper(BytesIO(), encoding=encoding), **size)
    picture = RunPicture(counts, lambda: NOW + timedelta(seconds=9))
    lines = console.render_lines(picture, pad=False)
    return ["".join(part.text for part in line).rstrip() for line in lines]


def test_the_picture_has_a_line_a_step_and_bars_where_a_step_fans_out() -> None:
    lines = text_of(
        told(
            began(),
            started("start"),
            ended("start", width=4),
            *(started("outer", at) for at in range(3)),
            ended("outer", 0, width=1),
            ended("outer", 1, failure=FAILURE),
        )
    )
    assert lines[0] == "Wide/3 · 9.0s"
    assert lines[1].split() == ["✓", "start", "2.0s"]
    assert lines[2].startswith("✗ outer   ━━━━━━")
    assert "1/4" in lines[2]
    assert lines[2].endswith("1 running  1 failed")
    assert lines[3].split() == ["·", "inner"]


def test_a_long_flow_shows_the_steps_that_move() -> None:
    facts: list[RunFact] = [began(LONG)]
    for at in range(20):
        facts += [started(f"step{at}"), ended(f"step{at}")]
    lines = text_of(told(*facts, started("step20")), height=10)
    assert len(lines) <= 10
    assert any(line.split()[1:2] == ["step20"] for line in lines)
    assert lines[1].endswith("steps done")
    assert lines[-1].endswith("more steps")
    assert len(text_of(told(*facts, over()), height=10)) == 41


@given(
    width=st.integers(5, 120),
    height=st.integers(6, 60),
    done=st.integers(0, 41),
    description=st.sampled_from([WIDE, LONG]),
    encoding=st.sampled_from(["utf-8", "ascii"]),
)
def test_the_picture_never_leaves_the_terminal(
    width: int, height: int, done: int, description: FlowDescription, encoding: str
) -> None:
    begin = began(description)
    facts: list[RunFact] = [begin]
    for step in begin.steps[:done]:
        facts += [started(step), ended(step, width=3)]
    facts += [started(step) for step in begin.steps[done : done + 1]]
    lines = text_of(told(*facts), encoding=encoding, width=width, height=height)
    assert len(lines) <= height
    for line in lines:
        assert cell_width(line) <= width
        line.encode(encoding)


class Screen:
    """A terminal, as far as the live picture needs one: it shows what escape codes leave."""

    def __init__(self) -> None:
        self.rows = [""]
        self.at = 0
        self.cursor = True

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[?\d;]*[a-zA-Z]|\n|\r|[^\x1b\r\n]+", text):
            if part == "\n":
                self.at += 1
                if self.at == len(self.rows):
                    self.rows.append("")
            elif part == "\x1b[1A":
                self.at -= 1
                assert self.at >= 0, "the cursor leaves the screen"
            elif part == "\x1b[2K":
                self.rows[self.at] = ""
            elif part in ("\x1b[?25l", "\x1b[?25h"):
                self.cursor = part.endswith("h")
            elif part != "\r" and not part.startswith("\x1b"):
                self.rows[self.at] += part

    def narrow(self, columns: int) -> None:
        """Break what is too long, as terminals do when they become narrower."""
        broken = [
            [row[at : at + columns] for at in range(0, len(row), columns)] for row in self.rows
        ]
        self.rows = [piece for pieces in broken for piece in pieces or [""]]
        self.at = len(self.rows) - 1

    @property
    def lines(self) -> list[str]:
        return [row.rstrip() for row in self.rows if row.strip()]


class Terminal:
    """A real terminal device, and a screen that shows what is written to it."""

    def __init__(self, ours: int, stream: TextIO) -> None:
        self.stream = stream
        self.console = console_of(stream)
        self.screen = Screen()
        self.raw = ""
        self._ours = ours

    def look(self) -> Screen:
        """Return the screen with all that was written until now."""
        self.stream.write("\x04")
        self.stream.flush()
        raw = b""
        while b"\x04" not in raw:
            raw += os.read(self._ours, 65536)
        text = raw.decode().replace("\x04", "")
        self.raw += text
        self.screen.feed(text)
        return self.screen


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        yield Terminal(ours, stream)
    os.close(ours)


def live_on(terminal: Terminal, stdout: TextIO | None = None) -> LiveProgress:
    return LiveProgress(stdout=stdout or terminal.stream, console=terminal.console)


def test_the_live_picture_ends_as_lines_and_gives_the_cursor_back(terminal: Terminal) -> None:
    progress = live_on(terminal)
    progress(began())
    assert not terminal.look().cursor
    progress(started("start"))
    progress(printed("hello \x1b[32mgreen\x1b[0m [bold] :smile:"))
    progress(printed("10%\r50%\r100%\r"))
    progress(ended("start", width=3))
    progress(started("outer", 0))
    progress(ended("outer", 0, failure=FAILURE, again=True))
    progress(Noticed("slow today"))
    progress(over("failed"))
    progress.close()
    screen = terminal.look()
    assert screen.cursor
    assert "hello \x1b[32mgreen\x1b[0m [bold]" in terminal.raw
    assert screen.lines[:2] == ["start | hello green [bold] :smile:", "start | 100%"]
    assert screen.lines[2].endswith("will be tried again")
    assert screen.lines[3] == "note: slow today"
    assert [line.split()[1] for line in screen.lines[4:10]] == list(Graph(WIDE))
    assert screen.lines[10].endswith(
        "run Wide/3 failed 12.5s; look at it with `flowkit show Wide/3`"
    )
    assert len(screen.lines) == 11


def test_long_lines_of_output_are_not_broken(terminal: Terminal) -> None:
    progress = live_on(terminal)
    text = "many words " * 30 + "end"
    progress(began())
    progress(printed(text))
    progress(over())
    assert terminal.look().lines[0] == f"start | {text}"


def test_output_cannot_move_the_picture(terminal: Terminal) -> None:
    progress = live_on(terminal)
    progress(began())
    progress(printed("up\x1b[5A and \x1b[2Jaway\x07"))
    progress(over())
    assert terminal.look().lines[0] == "start | up and away"
    assert "\x1b[5A" not in terminal.raw


def test_a_terminal_that_becomes_narrower_keeps_no_rest_of_the_old_picture(
    terminal: Terminal,
) -> None:
    progress = live_on(terminal)
    progress(printed("hello"))
    progress(began())
    screen = terminal.look()
    wide = len(screen.rows)
    screen.narrow(16)
    assert len(screen.rows) > wide
    terminal.console.size = ConsoleDimensions(16, 30)
    progress.close()
    assert terminal.look().lines[0] == "start | hello"
    assert [line.split()[0] for line in screen.lines[1:]] == ["Wide/3", *"······"]


def test_output_that_goes_to_a_file_is_kept_out_of_the_picture(terminal: Terminal) -> None:
    file = StringIO()
    progress = live_on(terminal, file)
    progress(began())
    progress(printed("to the file"))
    progress(printed("to the terminal", stream="stderr"))
    progress(over())
    assert file.getvalue() == "start | to the file\n"
    assert terminal.look().lines[0] == "start | to the terminal"
    assert "to the file" not in terminal.raw


def test_no_color_takes_the_colours_of_the_picture_and_of_output(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    progress = LiveProgress(stdout=terminal.stream, console=console_of(terminal.stream))
    progress(began())
    progress(printed("\x1b[31mred\x1b[0m"))
    progress(started("start"))
    progress(ended("start", width=3, failure=FAILURE))
    progress(over("failed"))
    assert terminal.look().lines[0] == "start | red"
    assert not re.search(r"\x1b\[[\d;]*[39]\d[;m]", terminal.raw)


def test_an_interrupted_picture_leaves_the_cursor_and_what_was_printed(terminal: Terminal) -> None:
    progress = live_on(terminal)
    progress(began())
    progress(printed("last words"))
    progress.close()
    screen = terminal.look()
    assert screen.cursor
    assert screen.lines[0] == "start | last words"


def test_a_run_that_never_began_leaves_no_trace(terminal: Terminal) -> None:
    live_on(terminal).close()
    terminal.look()
    assert terminal.raw == ""
