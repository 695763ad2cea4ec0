"""Secrets: there for the task that asks for them, and nowhere in what a run leaves."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard

TOKEN = "s3cr3t-T0ken/with&\"more'"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END KEY-----"
FRAME = b"\x28\xb5\x2f\xfd"
"""How a Zstandard frame begins."""

FLOW = """
    from flowkit import card, get_secret, secrets

    class Vault(FlowSpec):
        @secrets(sources=["env-file.vault.env"])
        @card
        @step
        def start(self):
            token, key = os.environ["TOKEN"], os.environ["KEY"]
            self.length = len(token)
            print("one", token, "two")
            print(token[:9], end="")
            print(token[9:])
            print(key, file=sys.stderr)
            print(repr(token), [token, key])
            current.card.append(__import__("flowkit.cards").cards.Markdown("it is " + token))
            self.next(self.end)

        @step
        def end(self):
            self.is_gone = "TOKEN" not in os.environ and "KEY" not in os.environ
"""


@pytest.fixture(autouse=True)
def vault(tmp_path: Path) -> Path:
    """Write the file that flows here read secrets from."""
    file = tmp_path / "vault.env"
    escaped = TOKEN.replace('"', '\\"')
    file.write_text(f"TOKEN=\"{escaped}\"\nKEY='{KEY}'\n")
    return file


def everything(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all bytes of all files below a folder, also those that are compressed."""
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield path, data
            at = data.find(FRAME)
            while at >= 0:
                with suppress(zstandard.ZstdError):  # bytes may look like a frame by chance
                    yield path, zstandard.ZstdDecompressor().decompressobj().decompress(data[at:])
                at = data.find(FRAME, at + 1)


def spellings(*secrets: str) -> set[bytes]:
    """Return how the lines of secrets may stand in what is kept."""
    return {
        text.encode()
        for secret in secrets
        for line in secret.splitlines()
        for text in (line, html.escape(line), json.dumps(line)[1:-1], repr(line)[1:-1])
    }


def assert_nowhere(home: Path, *secrets: str) -> None:
    kept = list(everything(home))
    assert len(kept) > 5
    found = [(path, text) for path, data in kept for text in spellings(*secrets) if text in data]
    assert not found


def logs_of(ran: Any, step: str = "start") -> str:
    task = ran.run[step].task
    return task.stdout + task.stderr


def test_a_step_has_its_secrets_and_nothing_that_is_kept_or_shown_has(
    any_lab: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = any_lab.run(FLOW)
    assert ran.status == "succeeded", ran.failure
    assert (ran.value("length"), ran.value("is_gone")) == (len(TOKEN), True)
    assert "one *** two\n***\n" in logs_of(ran)
    assert_nowhere(any_lab.home, TOKEN, KEY)
    shown = capfd.readouterr()
    everywhere = (shown.out + shown.err + repr(ran.facts)).encode()
    assert not [text for text in spellings(TOKEN, KEY) if text in everywhere]
    assert "TOKEN" not in os.environ
