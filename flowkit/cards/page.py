"""The page around a card's parts: one HTML file that needs nothing else, and runs nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from flowkit.cards.markup import Html, tag

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
"""What a browser may load for a card: pictures that are in it, its style, and nothing else."""


def page_html(title: str, body: Html) -> str:
    """Return a whole document. It has no scripts, and its policy forbids any that come along."""
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Html(_style())),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{tag("body", body)}</html>\n'


@lru_cache(maxsize=1)
def _style() -> str:
    return Path(__file__).with_name("card.css").read_text(encoding="utf-8")
