"""A store from a stranger can be looked at: nothing of it is run, and no text of it steers."""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from untrusted import send

from flowkit.cards import CardServer, get_cards
from flowkit.cli import main
from flowkit.client import Run, Task, open_workspace
from flowkit.settings import Settings
from flowkit.store import Store
from flowkit.values import RunId

UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")

READING = [
    "list flows",
    "list runs",
    "list runs Sent --status failed",
    "list steps Sent/1",
    "list tasks Sent/1",
    "list artifacts Sent/2",
    "list artifacts Sent/2/start",
    "show Sent",
    "show Sent/1",
    "show Sent/2",
    "show Sent/2/start",
    "show Sent/2/work",
    "show Sent/2/work/0",
    "show Sent/2/work/1",
    "show Sent/1/work/2",
    "explain Sent/2",
    "explain Sent/2/work/1",
    "logs Sent/2",
    "logs Sent/2/start --timestamps",
    "card list Sent/2",
    "card list Sent/2/start",
    "tag list Sent/1",
    "tag add Sent/1 mine",
    "tag remove Sent/1 mine",
    "store verify",
    "store reindex",
    "gc --dry-run",
    "gc",
    "doctor",
    "show Sent/3",
    "show Sent/2/nowhere",
    "run delete Sent/1 --yes",
    "logs scrub Sent/2",
]


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a bomb of the sent store makes where it goes off."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_USER", "ann")
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "went-off"
    send(Store.open(str(tmp_path / "home" / "store"), sync=False), marker)
    return marker


@pytest.mark.parametrize("as_json", [False, True])
def test_a_strangers_store_is_looked_at_without_running_or_obeying_it(
    marker: Path, capfd: pytest.CaptureFixture[str], as_json: bool
) -> None:
    for line in READING:
        words = line.split()
        if as_json:
            if main([*words, "--help"]) == 0 and "--json" not in capfd.readouterr().out:
                continue
            words.append("--json")
        main(words)
        said = capfd.readouterr()
        assert not marker.exists(), f"`{line}` has unpickled something"
        for text in (said.out, said.err):
            for found in UNSAFE.finditer(text):
                around = text[max(0, found.start() - 80) : found.end() + 40]
                raise AssertionError(f"`{line}` passes on {around!r}")
        assert "bug in flowkit" not in said.err, f"`{line}`: {said.err}"


def test_the_bombs_are_live(marker: Path) -> None:
    home = Path(os.environ["FLOWKIT_HOME"])
    with closing(open_workspace(Settings(home=home, user="ann", sync=False))) as workspace:
        task = Task("Sent/2/start/0", workspace=workspace, check_namespace=False)
        assert [one.type_name for one in task.artifacts]
        assert task.data.value is None
        assert marker.exists()


def test_the_cards_of_a_stranger_are_shown_in_a_sandbox(
    marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "true")
    home = Path(os.environ["FLOWKIT_HOME"])
    with closing(open_workspace(Settings(home=home, user="ann", sync=False))) as workspace:
        run = Run("Sent/2", workspace=workspace, check_namespace=False)
        server = CardServer(workspace, lambda: run, port=0)
        serving = Thread(target=server.serve)
        serving.start()
        try:
            listed = server.listed()
            asked = urlencode({"task": listed["cards"][0]["task"], "number": 0})
            with urlopen(f"{server.url}card?{asked}") as answer:
                assert answer.headers["Content-Security-Policy"] == "sandbox allow-popups"
                assert b"<script>" in answer.read()
        finally:
            server.close()
            serving.join()
        (card,) = get_cards("Sent/2/start/0", workspace=workspace)
        for page in (card.view().read_text(), card._repr_html_()):
            assert "alert(1)" in page
            assert "<script>" not in page
            assert 'sandbox=""' in page or 'sandbox="allow-popups"' in page
    assert not marker.exists()


def test_nothing_outside_the_store_is_deleted_through_links_in_it(
    marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outside = marker.with_name("outside")
    (outside / "deep").mkdir(parents=True)
    for name in ("run.json", "precious", "deep/too", "0" * 64):
        (outside / name).write_text("mine")
    store = Path(os.environ["FLOWKIT_HOME"]) / "store"
    (store / "runs" / "Sent" / "1" / "linked").symlink_to(outside)
    (store / "runs" / "Sent" / "1" / "loop").symlink_to(store)
    (store / "runs" / "Sent" / "9").symlink_to(outside)
    taken = {one.name for one in (store / "objects").iterdir()}
    free = next(f"{number:02x}" for number in range(256) if f"{number:02x}" not in taken)
    (store / "objects" / free).symlink_to(outside)
    assert main(["store", "verify"]) == 4  # they are foreign here
    main(["run", "delete", "Sent/1", "--yes"])
    main(["run", "delete", "Sent/9", "--yes"])
    main(["gc", "--grace", "0s"])
    opened = Store.open(str(store), sync=False)
    opened.delete_run(RunId("Sent", "9"))
    assert not opened.storage.delete("runs/Sent/9/precious")
    left = {str(one.relative_to(outside)) for one in outside.rglob("*") if one.is_file()}
    assert left == {"run.json", "precious", "deep/too", "0" * 64}
