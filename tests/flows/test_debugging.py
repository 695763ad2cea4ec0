"""A debugger in a step: on a terminal, as a person has it, and in a notebook's process."""

from __future__ import annotations

import linecache
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import pytest

from flowkit import NBRunner

FLOW = """
    class Look(FlowSpec):
        @step
        def start(self):
            self.total = sum(range(10))
            breakpoint()
            self.next(self.end)

        @step
        def end(self):
            print("the total is", self.total)
"""
CELL = """
from flowkit import FlowSpec, NBRunner, step

class CellLook(FlowSpec):
    @step
    def start(self):
        self.total = 45
        breakpoint()
        self.next(self.end)

    @step
    def end(self):
        pass
"""


class Terminal:
    """A terminal with a command on it, and somebody who reads and types."""

    def __init__(self, lab: Any, *words: str) -> None:
        self._descriptor, theirs = pty.openpty()
        command = [sys.executable, "-m", "flowkit", "--home", str(lab.home), *words]
        # A `dumb` one, so that no line editor draws on it.
        environ = lab.environ(TERM="dumb", PYTHON_BASIC_REPL="1")
        self._process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=lab.folder
        )
        os.close(theirs)
        self._unread = ""

    def read_to(self, text: str) -> str:
        """Read up to a text, and return what came before it."""
        while text not in self._unread:
            part = self._read()
            assert part, f"`{text}` did not come: {self._unread}"
            self._unread += part
        before, _, self._unread = self._unread.partition(text)
        return before

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._descriptor, line.encode() + b"\n")

    def read_all(self) -> tuple[int, str]:
        """Read to the end; return the exit code and what was left."""
        while part := self._read():
            self._unread += part
        return self._process.wait(60), self._unread

    def close(self) -> None:
        """Hang up, and end what is still on the terminal."""
        os.close(self._descriptor)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(60)

    def _read(self) -> str:
        if not select.select([self._descriptor], [], [], 60)[0]:
            return ""
        try:
            return os.read(self._descriptor, 65536).decode()
        except OSError:
            return ""  # Linux says so when the last writer has closed the terminal


@contextmanager
def on_a_terminal(lab: Any, *words: str) -> Iterator[Terminal]:
    """Run a command on a terminal of its own."""
    terminal = Terminal(lab, *words)
    try:
        yield terminal
    finally:
        terminal.close()


def test_a_breakpoint_of_an_inline_run_has_a_prompt_and_the_run_goes_on(lab: Any) -> None:
    lab.write(FLOW, name="look.py")
    with on_a_terminal(lab, "run", "look.py", "--executor", "inline") as terminal:
        shown = terminal.read_to("(Pdb) ")
        # From Python 3.13 on, the call itself is where it stops.
        assert "-> self.next(self.end)" in shown or "-> breakpoint()" in shown
        terminal.type("p self.total * 2")
        assert "90" in terminal.read_to("(Pdb) ")
        terminal.type("self.total = 7")
        terminal.read_to("(Pdb) ")
        terminal.type("c")
        code, rest = terminal.read_all()
    assert code == 0
    assert "the total is 7" in rest
    assert lab.latest("Look").data.total == 7


def test_a_breakpoint_that_is_quit_fails_the_step(lab: Any) -> None:
    lab.write(FLOW, name="look.py")
    with on_a_terminal(lab, "run", "look.py", "--executor", "inline") as terminal:
        terminal.read_to("(Pdb) ")
        terminal.type("q")
        code, rest = terminal.read_all()
    assert code == 1
    assert "BdbQuit" in rest
    assert lab.latest("Look").status == "failed"


def test_a_breakpoint_of_an_inline_spin_has_a_prompt(lab: Any) -> None:
    lab.run(FLOW.replace("breakpoint()", "pass"))
    lab.write(FLOW, name="look.py")
    with on_a_terminal(lab, "spin", "look.py", "start", "--executor", "inline") as terminal:
        terminal.read_to("(Pdb) ")
        terminal.type("p self.total")
        assert "45" in terminal.read_to("(Pdb) ")
        terminal.type("c")
        code, rest = terminal.read_all()
    assert code == 0
    assert "next: end" in rest


def test_a_breakpoint_in_a_cell_stops_the_notebook_s_own_thread(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.folder)
    seen: list[tuple[bool, int]] = []

    def stop() -> None:
        step = sys._getframe(1)
        is_main = threading.current_thread() is threading.main_thread()
        seen.append((is_main, step.f_locals["self"].total))

    monkeypatch.setattr(sys, "breakpointhook", stop)
    code, file = dedent(CELL), "<cell of test_debugging>"
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, file, "exec"), names)
    runner = NBRunner(
        names["CellLook"], show_output=False, home=str(lab.home), user="tester", executor="inline"
    )
    run = runner.nbrun()
    runner.cleanup()
    assert run.successful
    assert seen == [(True, 45)]
