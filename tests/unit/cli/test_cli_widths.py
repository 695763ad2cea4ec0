"""What commands print on a terminal of a certain width, and whole into a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowkit.values import TaskKey

Call = Callable[..., Any]

LONG = "a sentence that is certainly longer than what a narrow terminal can hold in one line"


def on_terminal(width: int, *words: str) -> list[str]:
    """Call the command line on a terminal without colour; return the lines it printed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    command = [sys.executable, "-m", "flowkit", *words]
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    # It would count for more than the terminal itself.
    environment.pop("COLUMNS", None)
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        printed = b""
        # Linux answers EIO once the other side is closed.
        try:
            while piece := os.read(ours, 65536):
                printed += piece
        except OSError:
            pass
        assert process.wait() == 0, printed
    os.close(ours)
    return printed.decode().replace("\r\n", "\n").splitlines()


def test_notes_of_tasks_go_below_where_the_terminal_is_narrow(call: Call, bad: Any) -> None:
    _, _, fit = call("list", "tasks", "Train/13").out.splitlines()
    assert fit.endswith("  ValueError: no luck")
    *_, fit, note = on_terminal(80, "list", "tasks", "Train/13")
    assert fit.split()[0] == "Train/13/fit/0"
    assert note == "    ValueError: no luck"
    assert on_terminal(120, "list", "tasks", "Train/13")[-1].endswith("  ValueError: no luck")


def test_long_help_of_a_flow_is_broken_at_blanks_and_hangs(call: Call, home: Path) -> None:
    Path("wordy.py").write_text(
        "from flowkit import FlowSpec, Parameter, step\n\n\n"
        "class Wordy(FlowSpec):\n"
        f'    "Tell {LONG}."\n\n'
        f'    rate = Parameter(default=0.5, help="{LONG}")\n\n'
        "    @step(start=True, end=True)\n"
        "    def only(self):\n"
        f'        "Say {LONG}."\n'
    )
    for command in ("show", "graph"):
        whole = call(command, "wordy.py").out.splitlines()
        shown = on_terminal(60, command, "wordy.py")
        assert max(map(len, shown)) <= 60
        assert max(map(len, whole)) > 80
        assert " ".join(shown).split() == " ".join(whole).split()


def test_each_parameter_of_a_run_has_a_line(call: Call, good: Any) -> None:
    lines = call("show", "Train/12").out.splitlines()
    assert "  parameters  learning-rate=0.5" in lines


def test_lines_of_a_dumped_value_stay_below_one_another(call: Call, tell: Any) -> None:
    import numpy

    tell(14).succeed(TaskKey("start"), table=numpy.eye(2))
    out = call("dump", "Train/14").out
    assert out == ("Train/14/start/0\n  table = array([[1., 0.],\n                 [0., 1.]])\n")


def test_several_failed_tasks_are_counted_in_one_line(call: Call, tell: Any) -> None:
    story = tell(16)
    keys = [TaskKey("fit", (0,)), TaskKey("fit", (1,)), TaskKey("fit", (2,))]
    failures = [story.fail(key) for key in keys]
    story.end("failed", *keys, failure=failures[0])
    assert "failed: Train/16/fit/0, and 2 more tasks" in call("show", "Train/16").out.splitlines()
