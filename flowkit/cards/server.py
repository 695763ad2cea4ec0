"""A small server of cards: a page that lists those of a run, and shows them as they change.

Cards are shown in frames without scripts and without an origin. Whoever is not on this machine
needs a token.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from flowkit.cards.markup import Html, tag
from flowkit.cards.viewing import Card, get_cards
from flowkit.client import Run, Workspace
from flowkit.errors import FlowkitError, UsageError

_COOKIE = "flowkit_token"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{}'; "
    "connect-src 'self'; frame-src 'self'; frame-ancestors 'none'"
)


class CardServer:
    """Serves the cards of a run, or of the latest run of a flow, until `close`.

    `host`: loopback unless told otherwise; then a token is part of the address. `port` 0 takes
    a free one. `poll_s`: how often the page asks for changes. `max_cards`: the newest are shown.
    """

    def __init__(
        self,
        workspace: Workspace,
        find_run: Callable[[], Run],
        *,
        host: str = "127.0.0.1",
        port: int = 8324,
        poll_s: float = 5.0,
        max_cards: int = 30,
    ) -> None:
        self._workspace, self._find_run = workspace, find_run
        self._poll_s, self._max_cards = poll_s, max_cards
        self.token = None if _is_loopback(host) else secrets.token_urlsafe(24)
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(self))
        except OSError as error:
            raise UsageError(
                f"port {port} of `{host}` cannot be used: {error.strerror}",
                hint="name another: `--port 0` takes a free one",
            ) from error
        self._host = host

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        query = f"?token={self.token}" if self.token else ""
        return f"http://{self._host}:{self._server.server_address[1]}/{query}"

    @property
    def hosts(self) -> frozenset[str]:
        """Names under which a browser may ask for it; others may be a trick of a strange site."""
        return frozenset({self._host, "localhost", "127.0.0.1", "[::1]"})

    def serve(self) -> None:
        """Answer until `close` is called, or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def page(self) -> tuple[str, str]:
        """Return the page that lists cards and the policy that goes with it."""
        nonce = secrets.token_urlsafe(12)
        page = _PAGE.replace("NONCE", nonce).replace("POLL", str(int(self._poll_s * 1000)))
        return page, _POLICY.format(nonce)

    def listed(self) -> dict[str, Any]:
        """Return the run and its cards, newest task first, as JSON."""
        run = self._find_run()
        return {
            "run": run.pathspec,
            "status": run.status,
            "cards": [
                {
                    "task": task.pathspec,
                    "number": card.number,
                    "title": f"{task.key}{f' · {card.id}' if card.id else ''}",
                    "type": card.type,
                    "hash": card.hash,
                    "live": card.is_live,
                    "data": card.get_data(),
                }
                for task, card in self._cards(run)
            ],
        }

    def find(self, pathspec: str, number: int) -> Card | None:
        """Return a card of a run that this server shows."""
        run = self._find_run()
        if not pathspec.startswith(f"{run.pathspec}/"):
            return None
        cards = get_cards(pathspec, workspace=self._workspace)
        return next((one for one in cards if one.number == number), None)

    def _cards(self, run: Run) -> list[tuple[Any, Card]]:
        tasks = [task for step in run.steps() for task in step.tasks()]
        tasks.sort(key=lambda one: str(one.created_at or ""), reverse=True)
        found: list[tuple[Any, Card]] = []
        with_cards = {node.name for node in run.description.nodes if node.policies.cards}
        for task in tasks:
            if task.key.step in with_cards and len(found) < self._max_cards:
                found += [(task, card) for card in get_cards(task)]
        return found[: self._max_cards]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _handler(server: CardServer) -> type[BaseHTTPRequestHandler]:
    return type("Answers", (_Answers,), {"cards": server})


class _Answers(BaseHTTPRequestHandler):
    """Answers requests about the cards of one server."""

    cards: ClassVar[CardServer]
    server_version, sys_version = "flowkit", ""

    def do_GET(self) -> None:
        """Answer one request."""
        try:
            asked = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
            if not self._may(query):
                return self._send(403, "the address lacks the token that was printed\n")
            match asked.path:
                case "/":
                    page, policy = self.cards.page()
                    self._send(200, page, kind="text/html", policy=policy)
                case "/cards":
                    self._send(200, json.dumps(self.cards.listed()), kind="application/json")
                case "/card":
                    number = query.get("number", "")
                    card = self.cards.find(query.get("task", ""), int(number or 0))
                    if card is None:
                        self._send(404, "no such card\n")
                    else:
                        self._send(200, card.get(), kind="text/html", policy="sandbox allow-popups")
                case _:
                    self._send(404, "nothing here\n")
        except (FlowkitError, ValueError) as error:
            self._send(404, f"{error}\n")

    def _may(self, query: dict[str, str]) -> bool:
        if self.cards.token is None:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
            return name in self.cards.hosts or name == "::1"
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            cookie = None
        given = query.get("token") or (cookie.value if cookie else "")
        return compare_digest(given.encode(), self.cards.token.encode())

    def _send(
        self, status: int, text: str, *, kind: str = "text/plain", policy: str | None = None
    ) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        if status == 200 and self.cards.token:
            self.send_header(
                "Set-Cookie", f"{_COOKIE}={self.cards.token}; HttpOnly; SameSite=Strict; Path=/"
            )
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the terminal is the user's."""


_STYLE = """
:root{--ground:#fbfbf9;--ink:#1f2328;--soft:#62676d;--line:#e4e4df;--accent:#2f6f5e;--mark:#e3f0eb}
@media (prefers-color-scheme:dark){:root{--ground:#161716;--ink:#e6e6e3;--soft:#a0a5a3;
--line:#343735;--accent:#7cc4ad;--mark:#21352e}}
*{box-sizing:border-box}html{color-scheme:light dark}
body{margin:0;height:100vh;display:grid;grid-template:auto 1fr/17rem 1fr;background:var(--ground);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header{grid-column:1/3;padding:.7rem 1.1rem;border-bottom:1px solid var(--line)}
header span{color:var(--soft);margin-left:.6rem}
nav{overflow:auto;border-right:1px solid var(--line);padding:.6rem}
nav button{display:block;width:100%;text-align:left;font:inherit;color:inherit;background:none;
border:0;border-radius:8px;padding:.45rem .7rem;cursor:pointer;overflow-wrap:anywhere}
nav button[aria-current=true]{background:var(--mark)}
nav small{display:block;color:var(--soft)}
iframe{width:100%;height:100%;border:0}
@media (max-width:45rem){body{grid-template:auto auto 1fr/1fr}header{grid-column:1}
nav{border:0;border-bottom:1px solid var(--line);max-height:30vh}}
"""
_SCRIPT = """
"use strict";
let chosen = null, shown = "";
const nav = document.querySelector("nav"), frame = document.querySelector("iframe");
const say = (text) => { document.querySelector("header span").textContent = text; };
function show(card) {
  const name = card.task + "#" + card.number, version = name + card.hash;
  if (version === shown) return;
  shown = version; chosen = name;
  frame.src = "/card?task=" + encodeURIComponent(card.task) + "&number=" + card.number +
    "&hash=" + card.hash;
}
async function poll() {
  try {
    const answer = await fetch("/cards");
    if (!answer.ok) throw new Error(await answer.text());
    const told = await answer.json();
    document.querySelector("header strong").textContent = told.run;
    say(told.status + (told.cards.length ? "" : ", no cards yet"));
    const current = told.cards.find((one) => one.task + "#" + one.number === chosen)
      || told.cards[0];
    nav.replaceChildren(...told.cards.map((card) => {
      const button = document.createElement("button"), about = document.createElement("small");
      button.append(card.title, about);
      about.textContent = card.type + (card.live ? ", live" : "");
      button.setAttribute("aria-current", card === current);
      button.onclick = () => { chosen = card.task + "#" + card.number; show(card); poll(); };
      return button;
    }));
    if (current) show(current);
  } catch (error) { say(error.message); }
}
async function forever() { await poll(); setTimeout(forever, POLL); }
forever();
"""
_BODY = Html(
    "<header><strong></strong><span role=status></span></header><nav aria-label=Cards></nav>"
    '<iframe title="Card" sandbox="allow-popups"></iframe>'
)
_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    f"<title>Cards</title>{tag('style', Html(_STYLE))}</head><body>{_BODY}"
    f'<script nonce="NONCE">{_SCRIPT}</script></body></html>'
)
