"""Cards and their server in a real browser: Chromium without a window."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from flowkit.cards import CardServer, Html, Image, JSONViewer, Markdown, Table
from flowkit.cards.component import rendered
from flowkit.cards.page import page_html
from flowkit.client import Run, Workspace, open_workspace
from flowkit.runner import FlowSource, RunOptions, open_session
from flowkit.settings import check_settings

CHROMIUM = shutil.which("chromium")
FLOW = """
from flowkit import FlowSpec, card, current, step
from flowkit.cards import Markdown


class Watched(FlowSpec):
    @card(type="blank")
    @step(start=True, end=True)
    def only(self):
        current.card.append(Markdown("# Seen in a browser"))
"""
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def chromium(*options: str) -> str:
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    done = subprocess.run(
        [CHROMIUM, *flags, *options], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@needs_chromium
def test_nothing_in_a_card_runs_or_loads(tmp_path: Path) -> None:
    run = "document.title = 'it ran'"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{run}\"><script>{run}</script></svg>"
    parts = [
        Markdown(f"<script>{run}</script>"),
        Table([[f'<img src=x onerror="{run}">']]),
        Image(svg.encode()),
        JSONViewer({f"</script><script>{run}</script>": 1}),
    ]
    # Even where somebody calls it HTML, the page's policy lets no script run.
    trusted = Html(f'<script>{run}</script><img src=x onerror="{run}">')
    file = tmp_path / "card.html"
    file.write_text(page_html("still the same", Html("".join(map(rendered, parts)) + trusted)))
    dom = chromium("--dump-dom", file.as_uri())
    assert "<title>still the same</title>" in dom


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_table_scrolls_in_its_place(tmp_path: Path, width: int) -> None:
    table = Table([[f"value {n}" for n in range(40)]], headers=[f"column {n}" for n in range(40)])
    main = f"<main><section>{table.render()}</section></main>"
    # A page of our own may run what the card's policy forbids it.
    told = "<script>document.title = document.documentElement.scrollWidth</script>"
    page = page_html("t", Html(main)).replace(
        "default-src &#x27;none&#x27;", "default-src &#x27;unsafe-inline&#x27;"
    )
    file = tmp_path / "card.html"
    file.write_text(page.replace("</body>", f"{told}</body>"))
    dom = chromium("--dump-dom", f"--window-size={width},800", file.as_uri())
    found = dom.partition("<title>")[2].partition("</title>")[0]
    assert int(found) <= max(width, 500)  # Chromium's window is no narrower


@dataclass(frozen=True, slots=True)
class Watched:
    workspace: Workspace
    run: Run

    def open(self, **given: object) -> CardServer:
        return CardServer(self.workspace, lambda: self.run, port=0, **given)  # type: ignore[arg-type]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    file = tmp_path / "watched_in_browser.py"
    file.write_text(FLOW)
    given = {"home": tmp_path / "home", "sync": False, "executor": "process", "namespace": None}
    settings = check_settings(given)
    workspace = open_workspace(settings)
    with open_session(FlowSource(str(file), None), settings, workspace=workspace) as session:
        end = session.run(RunOptions(), lambda fact: None)
    yield Watched(workspace, Run(str(end.run), workspace=workspace, check_namespace=False))
    workspace.close()


@pytest.fixture
def served(watched: Watched) -> Iterator[CardServer]:
    yield from _serve(watched.open())


@pytest.fixture
def open_to_others(watched: Watched) -> Iterator[CardServer]:
    yield from _serve(watched.open(host="0.0.0.0"))


def _serve(server: CardServer) -> Iterator[CardServer]:
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.close()
    thread.join()


@needs_chromium
def test_the_server_shows_cards(served: CardServer) -> None:
    dom = chromium("--dump-dom", served.url)
    assert "Watched/1" in dom
    assert "only/0" in dom
    assert "/card?task=Watched%2F1%2Fonly%2F0&amp;number=0" in dom


def test_a_served_card_has_no_origin(served: CardServer) -> None:
    with urlopen(f"{served.url}card?task=Watched/1/only/0&number=0") as answer:
        assert b"Seen in a browser" in answer.read()
        assert answer.headers["Content-Security-Policy"] == "sandbox allow-popups"


@pytest.mark.parametrize("path", ["card?task=Other/1/a/0&number=0", "card?number=x", "etc/passwd"])
def test_what_is_not_there_is_not_served(served: CardServer, path: str) -> None:
    with pytest.raises(HTTPError) as raised:
        urlopen(f"{served.url}{path}")
    assert raised.value.code == 404
    raised.value.close()


def test_a_strange_site_cannot_ask_under_its_own_name(served: CardServer) -> None:
    with pytest.raises(HTTPError) as raised:
        urlopen(Request(f"{served.url}cards", headers={"Host": "evil.example"}))
    assert raised.value.code == 403
    raised.value.close()


def test_other_machines_need_the_token(open_to_others: CardServer) -> None:
    url = open_to_others.url.replace("0.0.0.0", "127.0.0.1")
    with pytest.raises(HTTPError) as raised:
        urlopen(url.partition("?")[0])
    assert raised.value.code == 403
    raised.value.close()
    with urlopen(url) as answer:
        assert answer.status == 200
