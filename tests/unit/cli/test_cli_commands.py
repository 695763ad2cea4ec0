"""The commands as such: found by name, loaded when named, errors in one form."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from flowkit.cli import main
from flowkit.cli.command import EXIT_CODES
from flowkit.cli.commands import COMMANDS, FAMILIES, load_command
from flowkit.cli.driving import driving_options
from flowkit.errors import FlowInvalid
from flowkit.flow import Parameter, describe_flow

Call = Callable[..., Any]

HEAVY = {"cloudpickle", "msgspec", "networkx", "numpy", "pyarrow", "pydantic", "rich", "sqlite3"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(call: Call, name: str) -> None:
    said = call(*name.split(), "--help")
    assert said.code == 0
    made = load_command(name)
    first = inspect.cleandoc(made.help or "").splitlines()[0]
    assert first[0].isupper()
    assert made.examples
    assert all(example.split("--home")[0] == "" or name in example for example in made.examples)
    assert set(made.exits) <= set(EXIT_CODES)
    assert "Examples:\n  flowkit " in said.out
    assert "Exit codes:\n  0" in said.out
    for param in made.params:
        if isinstance(param, click.Option):
            assert param.hidden or param.help, f"{name} {param.opts}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.split()[0] != "run"])
def test_a_command_has_its_own_last_word_as_name(name: str) -> None:
    assert load_command(name).name == name.split()[-1]


READING = (
    "check show graph logs dump settings doctor version gc|list flows|list runs|list steps|"
    "list tasks|list artifacts|tag list|store verify|store reindex"
)


def test_every_reading_command_has_json() -> None:
    first, *rest = READING.split("|")
    for name in [*first.split(), *rest]:
        options = {option for param in load_command(name).params for option in param.opts}
        assert "--json" in options, name


def test_help_shows_every_command_and_no_more(call: Call) -> None:
    said = call("--help")
    words = {
        line.strip().split("  ")[0] for line in said.out.partition("Commands:")[2].splitlines()
    }
    expected = {name if name.split()[0] not in FAMILIES else name.split()[0] for name in COMMANDS}
    assert words - {""} == expected
    assert call().out == said.out


@pytest.mark.parametrize("family", FAMILIES)
def test_help_of_a_family_says_what_each_of_its_commands_does(call: Call, family: str) -> None:
    said = call(family, "--help").out
    for name, entry in COMMANDS.items():
        if name.startswith(f"{family} "):
            assert f"{name.removeprefix(f'{family} ')} " in said
            assert entry.summary in " ".join(said.split())


@pytest.mark.parametrize("words", ["--help", "list --help", "--version", "nonsense", "run --help"])
def test_help_and_mistakes_load_no_heavy_library(words: str) -> None:
    script = (
        "import sys; from flowkit.cli import main\n"
        "main(sys.argv[1:])\n"
        "print(*sorted(name for name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words.split()], capture_output=True, text=True, check=False
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "click" in loaded
    expected = {"msgspec"} if words == "--version" else set()
    assert loaded & HEAVY <= expected
    assert not [name for name in loaded if name.startswith("flowkit.runner")]


def test_only_the_command_that_is_named_is_imported() -> None:
    script = (
        "import sys; from flowkit.cli import main\n"
        "main(['tag', '--help']); main(['gc', '--help'])\n"
        "print(*(n for n in sys.modules if n.startswith('flowkit.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "flowkit.cli.gc" in loaded
    assert not loaded & {"flowkit.cli.run", "flowkit.cli.show", "flowkit.cli.tag", "flowkit.store"}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["lisst"], "`lisst` is no command", "did you mean `list`?"),
        (["list", "rnus"], "`list rnus` is no command", "did you mean `runs`?"),
        (["list"], "missing command", "`flowkit list --help`"),
        (["logs"], "argument `PATHSPEC` is missing", "`flowkit logs --help`"),
        (["list", "runs", "--limt", "3"], "`--limt` is no option", "did you mean `--limit`?"),
        (["list", "runs", "--limit", "x"], "`--limit`: ", "`flowkit list runs --help`"),
        (["list", "runs", "--limit"], "`--limit` requires", "--help`"),
        (["list", "runs", "--status", "odd"], "`--status`: ", "--help`"),
        (["list", "flows", "odd"], "unexpected extra argument", "`flowkit list flows --help`"),
        (["check"], "argument `FLOW` is missing", "`flowkit check --help`"),
        (["run"], "argument `FLOW` is missing", "`flowkit run --help`"),
        (["run", "--tag", "x"], "argument `FLOW` is missing", "`flowkit run --help`"),
        (["show"], "nothing to show is named", "flowkit show flow.py"),
        (["--nonsense"], "`--nonsense` is no option of `flowkit`", "--help`"),
    ],
)
def test_wrong_usage_has_one_form(call: Call, words: list[str], message: str, hint: str) -> None:
    said = call(*words)
    assert (said.code, said.out) == (2, "")
    error, blank, advice = said.err.rstrip("\n").split("\n")
    assert error.startswith("error: ")
    assert message in error
    assert not error.endswith(".")
    assert blank == ""
    assert advice.startswith("hint: ")
    assert hint in advice


def test_a_bug_says_so_and_shows_its_traceback_only_when_asked(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("cannot be")

    monkeypatch.setattr("flowkit.cli.version.print_lines", fail)
    assert main(["version"]) == 5
    said = capsys.readouterr().err
    assert said.startswith("error: this is a bug in flowkit: ZeroDivisionError: cannot be\n\nhint:")
    assert "Traceback" not in said
    assert main(["--debug", "version"]) == 5
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_no_bug(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowkit.cli.version.print_lines", interrupt)
    assert main(["version"]) == 130
    assert "bug" not in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m flowkit settings --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a command line, in which `flowkit` is this one, without what unbuffers its output."""
    command = line.replace("flowkit", f"{sys.executable} -m flowkit")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = ["bash", "-c", command]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environ)


@pytest.mark.parametrize("buffering", ["", "PYTHONUNBUFFERED=1 "])
@pytest.mark.parametrize("words", ["settings", "settings --json", "--help"])
def test_output_that_cannot_be_written_is_an_error(home: Path, words: str, buffering: str) -> None:
    done = in_shell(f"{buffering}flowkit {words} > /dev/full")
    assert done.returncode == 4
    assert done.stderr == (
        "error: the output cannot be written: no space left on device\n\n"
        "hint: write it to where there is room for it\n"
    )


@pytest.mark.parametrize(("words", "code"), [("list runs", 0), ("list runs --no-option", 2)])
def test_what_cannot_be_said_changes_no_exit_code(home: Path, words: str, code: int) -> None:
    assert in_shell(f"flowkit {words} 2> /dev/full").returncode == code


ONE_STEP = """
from flowkit import FlowSpec, step

class Small(FlowSpec):
    @step(start=True, end=True)
    def only(self):
        print("said")
"""


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_run_needs_no_output(call: Call, home: Path, streams: str) -> None:
    (home.parent / "small.py").write_text(ONE_STEP)
    done = in_shell(f"flowkit run small.py {streams}")
    assert done.returncode == 0, done.stderr
    assert ("stdout cannot be written any more" in done.stderr) == ("full" in streams)
    assert call("logs", "Small/1/only").out == "said\n"


@pytest.mark.parametrize("words", ["run {}", "list runs", "run small.py", "python {} run"])
def test_a_working_folder_that_is_gone_is_named(home: Path, words: str) -> None:
    file = home.parent / "small.py"
    file.write_text(ONE_STEP + "\nif __name__ == '__main__':\n    Small()\n")
    (home.parent / "gone").mkdir()
    line = words.format(file)
    line = line.replace("python", sys.executable) if "python" in line else f"flowkit {line}"
    done = in_shell(f"cd gone && rmdir ../gone && {line}")
    assert done.returncode == 2
    assert "the folder that flowkit was started in is gone" in done.stderr


@pytest.mark.parametrize("size", ["nan", "inf", "-inf", "1e9", "0"])
@pytest.mark.parametrize("words", ["run small.py", "spin small.py only"])
def test_a_size_that_is_none_is_refused(call: Call, home: Path, words: str, size: str) -> None:
    (home.parent / "small.py").write_text(ONE_STEP)
    said = call(*words.split(), "--max-log-size", size)
    assert said.code == 2
    assert said.err.startswith("error: `--max-log-size`: ")


@pytest.mark.parametrize("words", ["run small.py", "list runs", "gc", "store verify"])
def test_a_home_with_a_name_that_is_too_long_is_named(
    call: Call, home: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    (home.parent / "small.py").write_text(ONE_STEP)
    monkeypatch.setenv("FLOWKIT_HOME", "x" * 300)
    said = call(*words.split())
    assert said.code == 4
    assert "x" * 300 in said.err.splitlines()[0]
    assert "file name too long" in said.err.splitlines()[0].lower()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_calls_flowkit_back(call: Call, shell: str) -> None:
    said = call("completion", shell)
    assert said.code == 0
    assert "_FLOWKIT_COMPLETE" in said.out


def completions(words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "flowkit"],
        env={
            **os.environ,
            "_FLOWKIT_COMPLETE": "bash_complete",
            "COMP_WORDS": f"flowkit {words}",
            "COMP_CWORD": str(len(f"flowkit {words}".split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("li", ["list"]),
        ("list r", ["runs"]),
        ("list runs --li", ["--limit"]),
        ("show T", ["Train/"]),
        ("show Train/1", ["Train/13", "Train/12"]),
        ("run fl", ["fl"]),
        ("run flow.py --max-w", ["--max-workers"]),
    ],
)
def test_the_shell_is_offered_commands_options_and_runs(
    good: Any, bad: Any, words: str, offered: list[str]
) -> None:
    assert completions(words) == offered


def test_no_parameter_can_hide_an_option_of_run() -> None:
    from flowkit import FlowSpec, step

    options = {name for option in driving_options() for name in option.opts}
    for option in sorted(options | {"--help"}):
        attributes = {"hidden": Parameter(option.removeprefix("--"), default=1)}

        class Hiding(FlowSpec):
            locals().update(attributes)

            @step
            def start(self) -> None:
                self.next(self.end)

            @step
            def end(self) -> None: ...

        with pytest.raises(FlowInvalid) as caught:
            describe_flow(Hiding, file=__file__)
        assert [fault.rule for fault in caught.value.faults] == ["parameter-reserved"]  # type: ignore[attr-defined]


def test_help_is_a_word_as_well_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    assert "Commands:" in capsys.readouterr().out
    assert main(["help", "tag", "add"]) == 0
    assert "flowkit tag add [OPTIONS] RUN TAG..." in capsys.readouterr().out
