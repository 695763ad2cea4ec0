"""What the completion script does in a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

ASK = """
flowkit() { "$PYTHON" -m flowkit "$@"; }
env() { command env "${@:1:$#-1}" "$PYTHON" -m flowkit; }
compopt() { OPTIONS="$1 $2"; }
source completion.bash
complete -p flowkit > /dev/null || exit 3
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_flowkit_completion flowkit "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
for word in "${COMPREPLY[@]}"; do echo "$word"; done
echo "[$OPTIONS]"
"""


@pytest.fixture
def complete(call: Call, home: Path) -> Callable[..., list[str]]:
    """Complete the last of some words as bash does: what is offered, then bash's own options."""
    Path("completion.bash").write_text(call("completion", "bash").out)

    def ask(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", ASK, "bash", "flowkit", *words],
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    return ask


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["li"], ["list", "[]"]),
        (["show", "T"], ["Train/", "[-o nospace]"]),
        (["show", "Train/"], ["Train/13", "Train/12", "[]"]),
        (["logs", "Train/12/f"], ["Train/12/fit", "[]"]),
        (["tag", "add", "Train/12/"], ["[]"]),
        (["list", "runs", ""], ["Train", "[]"]),
        (["list", "runs", "--status", "fa"], ["failed", "[]"]),
        (["run", "fl"], ["[-o default]"]),
        (["show", "fl"], ["[-o default]"]),
        (["graph", "Tr"], ["Train/", "[-o nospace]"]),
        (["--home", "elsewhere", "show", "T"], ["[-o default]"]),
    ],
)
def test_bash_is_offered_what_fits(
    complete: Callable[..., list[str]], good: Any, bad: Any, words: list[str], offered: list[str]
) -> None:
    assert complete(*words) == offered


def test_completing_leaves_nothing_behind_where_nothing_has_run(
    complete: Callable[..., list[str]], home: Path
) -> None:
    assert complete("logs", "T") == ["[]"]
    assert not home.exists()


def test_completing_is_silent_about_what_is_wrong(
    complete: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_MAX_WORKERS", "many")
    assert complete("logs", "T") == ["[]"]
