"""Whatever words a command line has: they are used, or refused by one error, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest
from rotting import IS_LONG
from untrusted import send

from flowkit.cli import main
from flowkit.store import Store

DIGITS = "9" * 5000
WORDS = (
    *("", " ", "..", "/", "//", "a/b", "Sent/1", "Sent/../1", "Sent/1/start", "Sent/1/start/0"),
    *("@", f"Sent/1/start/{DIGITS}", "Sent/1/start/-1", "Sent/1/start/\u0663"),
    *("Sent/1/work/0@99999999", f"Sent/{DIGITS}", f"Sent/{'9' * 30}", "x" * 5000, "\0", "a\0b"),
    *("\n", "\udc80", "Sent/\ud800", "\u202e", "s3://[", "file://[", "file:///%00", "layered://["),
    *("layered:///x?beneath=[", "[", "{" * 50_000, "[" * 50_000, DIGITS, f"-{DIGITS}", "1e999"),
    *("nan", "inf", "NaN", "null", "1_0", "99999999999999w", f"{'9' * 400}w", "0.0000001s"),
    *("\u0663s", "-1s", "true", "~nobody", "%s", "a=b", "=", ":", "retry:"),
    *(f"retry:times={DIGITS}", "retry:times=1e400", ".x", "x.", "a..b"),
)
PLACES = ("/", "//", "..", "~nobody")
"""What a home or a store must not be in a test: there is something."""
READING = (
    *("show WORD", "show Sent/1/WORD", "list runs WORD", "list runs --tag WORD", "list steps WORD"),
    *("list runs --user WORD", "list runs --status WORD", "list runs --limit WORD", "explain WORD"),
    *("list tasks WORD", "list tasks Sent/1 --limit WORD", "list artifacts WORD", "logs WORD"),
    *("card list WORD", "card get WORD", "card get Sent/1/start --id WORD", "tag list WORD"),
    *("tag add Sent/1 WORD", "tag remove Sent/1 WORD", "run delete WORD --yes"),
    *("gc --dry-run --grace WORD", "gc --dry-run --older-than WORD"),
    *("gc --dry-run --keep-last WORD", "--home WORD list runs", "--store WORD list runs"),
    *("--store WORD store verify", "WORD", "--store WORD gc --dry-run", "check WORD", "graph WORD"),
    *("run WORD", "completion WORD", "settings WORD", "spin WORD start", "resume WORD"),
    "card view WORD",
)
RUNNING = (
    *("check flow.py --with WORD", "check flow.py --config-value given WORD"),
    *("run flow.py --a WORD", "run flow.py --f WORD", "run flow.py --j WORD"),
    *("run flow.py --b WORD", "check flow.py:WORD", "run flow.py --included WORD"),
    *("run flow.py --tag WORD", "run flow.py --max-workers WORD"),
    *("check flow.py --config given WORD", "graph flow.py --format WORD", "resume flow.py WORD"),
)
FLOW = """
from flowkit import *
class Words(FlowSpec):
    a = Parameter("a", default=1)
    f = Parameter("f", default=1.5)
    b = Parameter("b", default=False)
    j = Parameter("j", type=JSONType, default="{}")
    included = IncludeFile("included", default=None)
    given = Config("given", default_value={"x": 1})
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a store in it, and a flow beside."""
    folder = tmp_path_factory.mktemp("words")
    send(Store.open(str(folder / "home" / "store"), sync=False), folder / "bomb")
    (folder / "flow.py").write_text(FLOW)
    return folder / "home"


def see(line: str, word: str, capfd: pytest.CaptureFixture[str]) -> None:
    """See that a command line ends as one may."""
    code = main([one.replace("WORD", word) for one in line.split()])
    said = capfd.readouterr()
    assert code in (0, 1, 2, 3, 4), f"`{line}` with {word[:60]!a} ends with {code}: {said.err}"
    own = "importing the flow raised" in said.err  # what a flow's own code raised has its traceback
    assert own or "Traceback (most" not in said.err, f"`{line}` with {word[:60]!a}: {said.err}"


@pytest.mark.parametrize("line", READING)
def test_words_of_a_command_are_used_or_refused(
    home: Path, line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_HOME", str(home))
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.setenv("BROWSER", "true")
    (home.parent / "here").mkdir(exist_ok=True)
    monkeypatch.chdir(home.parent / "here")
    assert main(["store", "reindex"]) == 0
    for word in WORDS:
        if not (line.startswith("--") and word in PLACES):
            see(line, word, capfd)


@pytest.mark.skipif(not IS_LONG, reason="each starts processes; FLOWKIT_CRASH=long")
@pytest.mark.parametrize("line", RUNNING)
def test_values_of_a_run_are_used_or_refused(
    home: Path, line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_HOME", str(home.parent / "ran"))
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.chdir(home.parent)
    for word in WORDS:
        see(line, word, capfd)
