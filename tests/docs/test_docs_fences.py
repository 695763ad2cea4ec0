"""Every code fence of README.md and docs/ runs, page by page; docs/writing-docs.md says how."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import flowkit

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
RUN = {"python", "console", "bash", "sh"}
SHOWN = {"", "c", "cpp", "ini", "json", "markdown", "mermaid", "text", "toml"}
LONGEST_S = 60
SHOWN_HOME, SHOWN_HOST = "/home/ada/work", "laptop"

OPENING = re.compile(r"^(`{3,})\s*([\w+-]*)[ ]*(.*)$")
TITLE = re.compile(r'title="([^"]+)"')
EXITS = re.compile(r"#\s*exits (\d+)\s*$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CARETS = re.compile(r"(\S+ \| )?[~^]+")
"""What Python draws under a line of a traceback; each version does it its own way."""
CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\d"), "<date>"),
    (re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"), "<time>"),
    (re.compile(r"\b(\d+[dhm] )?\d+(\.\d+)?m?s\b"), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)? [kMG]?B\b"), "<size>"),
    (re.compile(r"(?<![.\w])[0-9a-f]{12,64}\b"), "<digest>"),
]
"""What differs from run to run and is not compared."""

INTERPRETER = r"""
import contextlib, doctest, io, json, sys, traceback
names = {"__name__": "page"}
flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    fence = json.loads(line)
    said, fault = io.StringIO(), ""
    with contextlib.redirect_stdout(said):
        try:
            if fence["source"].lstrip().startswith(">>>"):
                parser = doctest.DocTestParser()
                session = parser.get_doctest(fence["source"], names, fence["name"], None, 0)
                runner = doctest.DocTestRunner(optionflags=flags)
                if runner.run(session, out=said.write, clear_globs=False).failed:
                    fault = said.getvalue()
                names.update(session.globs)
            else:
                exec(compile(fence["source"], fence["name"], "exec"), names)
        except BaseException:
            fault = traceback.format_exc()
    answers.write(json.dumps(fault) + "\n")
    answers.flush()
"""


@dataclass(frozen=True)
class Fence:
    """A code block of a page: its language, its file's name if it is one, and its first line."""

    language: str
    title: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A line of a console fence, what the page shows below it, and the exit code it has."""

    words: str
    shown: tuple[str, ...]
    code: int


def fences_of(page: str) -> list[Fence]:
    """Read the fences of a page; one inside another, longer one is its text."""
    found = []
    opened: tuple[str, str, str, int] | None = None
    body: list[str] = []
    for number, line in enumerate(page.splitlines(), 1):
        if opened is None:
            if match := OPENING.match(line):
                opened, body = (match[1], match[2], match[3], number + 1), []
        elif line.startswith(opened[0]) and not line.strip("`"):
            title = TITLE.search(opened[2])
            text = "\n".join(body) + "\n"
            found.append(Fence(opened[1], title[1] if title else None, text, opened[3]))
            opened = None
        else:
            body.append(line)
    assert opened is None, f"a fence is opened in line {opened[3] - 1} and not closed"
    return found


def commands_of(text: str) -> list[Command]:
    """Split a console fence at its `$` lines; `> ` goes on with the command above."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and found[-1][0][-1].endswith("\\"):
            found[-1][0].append(line[2:])
        else:
            assert found, f"`{line}` stands before the first command"
            found[-1][1].append(line)
    commands = []
    for words, shown in found:
        exits = EXITS.search(words[-1])
        commands.append(Command("\n".join(words), tuple(shown), int(exits[1]) if exits else 0))
    return commands


def comparable(line: str) -> str:
    """Return a line without what may differ from run to run."""
    for pattern, name in CHANGING:
        line = pattern.sub(name, line)
    return " ".join(line.split())


def missing_lines(shown: tuple[str, ...], printed: str) -> list[str]:
    """Return the lines that a page shows and the command did not print, in any order."""
    left = [comparable(line) for line in printed.splitlines()]
    missing = []
    for line in shown:
        wanted = comparable(line)
        if wanted in ("", "...") or CARETS.fullmatch(wanted):
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
        at = next((at for at, one in enumerate(left) if pattern.fullmatch(one)), None)
        if at is None:
            missing.append(line)
        else:
            del left[at]
    return missing


def runnable(words: str) -> str:
    """Leave out what sets up an environment: these tests run in one that is set up."""
    parts = [part.strip() for part in words.split("&&")]
    for part in parts:
        if session := re.match(r"nox -s (\S+)", part):
            sessions = (ROOT / "noxfile.py").read_text(encoding="utf-8")
            assert f'name="{session[1]}"' in sessions or f"def {session[1]}(" in sessions, words
    left = [part for part in parts if not part.startswith(("pip ", "nox "))]
    return " && ".join(left) or "true"


class Page:
    """A folder and an interpreter that the fences of one page share."""

    def __init__(self, folder: Path, interpreter: subprocess.Popen[str]) -> None:
        self.folder, self.interpreter = folder, interpreter
        self.environment = environment_of(folder)

    def run(self, fence: Fence, name: str) -> None:
        """Write, execute or check a fence, as its language asks for."""
        where = f"{name}:{fence.line}"
        assert fence.language in RUN | SHOWN, f"{where}: `{fence.language}` is no known language"
        if fence.title is not None:
            (self.folder / fence.title).write_text(fence.text, encoding="utf-8")
        elif fence.language == "python":
            self.execute(fence, where)
        elif fence.language == "console":
            for command in commands_of(fence.text):
                self.check(replace(command, words=runnable(command.words)), where)
        elif fence.language in ("bash", "sh"):
            script = "\n".join(["set -e", *map(runnable, fence.text.splitlines())])
            self.check(Command(script, (), 0), where)

    def execute(self, fence: Fence, where: str) -> None:
        """Run Python in the page's namespace; a session of `>>>` is compared with its output."""
        assert self.interpreter.stdin is not None
        assert self.interpreter.stdout is not None
        self.interpreter.stdin.write(json.dumps({"source": fence.text, "name": where}) + "\n")
        self.interpreter.stdin.flush()
        fault = json.loads(self.interpreter.stdout.readline())
        assert not fault, f"{where}\n{fault}"

    def check(self, command: Command, where: str) -> None:
        """Run a command; compare its exit code and what the page shows of its output."""
        done = subprocess.run(
            ["bash", "-c", command.words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
        )
        printed = done.stdout.replace(str(self.folder), SHOWN_HOME)
        printed = printed.replace(f" on {socket.gethostname()}\n", f" on {SHOWN_HOST}\n")
        told = f"{where}: `{command.words}`\n{printed}"
        assert done.returncode == command.code, f"{told}\nexit code {done.returncode}"
        missing = missing_lines(command.shown, printed)
        assert not missing, told + "\nthe page shows, and it did not print:\n" + "\n".join(missing)


def environment_of(folder: Path) -> dict[str, str]:
    """Make the surroundings of a reader called Ada who has installed flowkit."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FLOWKIT_")}
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    for program, arguments in (("flowkit", "-m flowkit "), ("python", "")):
        file = programs / program
        file.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        file.chmod(0o755)
    return kept | {
        "COLUMNS": "100",
        "FLOWKIT_USER": "ada",
        "NO_COLOR": "1",
        "PATH": f"{programs}{os.pathsep}{kept.get('PATH', os.defpath)}",
        # Where the tree is not installed, it is found from every folder all the same.
        "PYTHONPATH": str(Path(flowkit.__file__).parents[1]),
    }


@contextmanager
def open_page(tmp_path: Path) -> Iterator[Page]:
    """Open a folder with the examples in it, and end the interpreter afterwards."""
    folder = tmp_path / "work"
    shutil.copytree(
        ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__")
    )
    with subprocess.Popen(
        [sys.executable, "-c", INTERPRETER],
        cwd=folder,
        env=environment_of(folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as interpreter:
        yield Page(folder, interpreter)


def slugs_of(page: str) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = re.findall(
        r"^#+\s+(.*)$", re.sub(r"^(`{3,}).*?^\1$", "", page, flags=re.M | re.S), re.M
    )
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("name", PAGES)
def test_every_fence_of_the_page_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    fences = fences_of(PAGES[name].read_text(encoding="utf-8"))
    with open_page(tmp_path) as page:
        for fence in fences:
            page.run(fence, name)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_the_page_leads_somewhere(name: str) -> None:
    path = PAGES[name]
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in slugs_of(there.read_text(encoding="utf-8")), target


def test_every_page_is_linked_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    seen, left = {index}, [index]
    while left:
        page = left.pop()
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            there = (page.parent / target.partition("#")[0]).resolve()
            if (
                "://" not in target
                and there.suffix == ".md"
                and there.exists()
                and there not in seen
            ):
                seen.add(there)
                left.append(there)
    assert {path for path in PAGES.values() if path.is_relative_to(ROOT / "docs")} <= seen


def test_a_line_that_was_not_printed_is_noticed() -> None:
    printed = "12:00:01 start attempt 0 succeeded 0.05s\nend | hello\n"
    assert missing_lines(("09:30:00 start attempt 0 succeeded 1.20s", "end | hello"), printed) == []
    assert missing_lines(("... succeeded ...", "...", ""), printed) == []
    assert missing_lines(("end | goodbye",), printed) == ["end | goodbye"]
    assert missing_lines(("end | hello", "end | hello"), printed) == ["end | hello"]


def test_an_exit_code_that_the_page_does_not_name_is_noticed(tmp_path: Path) -> None:
    with open_page(tmp_path) as page:
        page.run(Fence("console", None, "$ exit 3  # exits 3\n", 1), "page")
        with pytest.raises(AssertionError, match="exit code 3"):
            page.run(Fence("console", None, "$ exit 3\n", 1), "page")


def test_python_that_raises_or_says_something_else_is_noticed(tmp_path: Path) -> None:
    with open_page(tmp_path) as page:
        page.run(Fence("python", None, "answer = 42\n", 1), "page")
        page.run(Fence("python", None, ">>> answer\n42\n", 1), "page")
        with pytest.raises(AssertionError, match="Expected"):
            page.run(Fence("python", None, ">>> answer\n43\n", 1), "page")
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            page.run(Fence("python", None, "1 / 0\n", 1), "page")


def test_a_language_that_nobody_runs_is_noticed(tmp_path: Path) -> None:
    with open_page(tmp_path) as page, pytest.raises(AssertionError, match="no known language"):
        page.run(Fence("pyton", None, "1 / 0\n", 1), "page")


def test_a_fence_inside_a_longer_one_is_its_text() -> None:
    (fence,) = fences_of("````markdown\n```python\n1 / 0\n```\n````\n")
    assert fence.text == "```python\n1 / 0\n```\n"
