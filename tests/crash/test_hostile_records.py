"""Records that are whole, and say what cannot be: each is used or refused, and nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from rotting import IS_LONG
from untrusted import send

from flowkit.cli import main
from flowkit.store import Store
from flowkit.store.envelope import open_record, seal_record

ODD = [
    *(None, True, -1, 0, 1 << 31, 1 << 63, 10**40, 1.5, 1e308, "", "nan", "x" * 3000, "a\0b"),
    *("../../etc", "/etc/passwd", "..", "Sent/1", "0" * 64, "\u202e\uffff"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-05-01T00:00:00"),
    *([], [[]], {}, ["..", ".."]),
]
COMMANDS = [
    "store reindex",
    "store verify",
    "list runs",
    "list tasks Sent/2 --json",
    "show Sent/1",
    "show Sent/2",
    "show Sent/2/start/0",
    "show Sent/2/work/1",
    "explain Sent/2",
    "logs Sent/2",
    "card list Sent/2",
    "gc --dry-run",
]


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value in a document; of lists to the first two members."""
    yield at
    inner = document.items() if isinstance(document, dict) else enumerate(document[:2])
    for name, value in inner:
        yield (*at, name)
        if isinstance(value, dict | list):
            yield from places(value, (*at, name))


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of a document with another value at a path."""
    if not at:
        return value
    changed = document.copy()
    changed[at[0]] = put(changed[at[0]], at[1:], value)
    return changed


def changed_records(root: Path) -> Iterator[tuple[str, Path, bytes]]:
    """Yield every record with every value replaced by every odd one: what it is, and its bytes."""
    for path in sorted(root.glob("runs/*/*/**/*.*")):
        if path.is_dir() or path.suffix == ".log":
            continue
        key = str(path.relative_to(root))
        data = path.read_bytes()
        name = data.split(b" ")[1].decode()
        body = bytes(open_record(name, data, key=key))
        is_packed = path.suffix == ".zst"
        document = json.loads(zstandard.decompress(body) if is_packed else body)
        for at in dict.fromkeys(places(document)):
            for odd in ODD:
                body = json.dumps(put(document, at, odd)).encode()
                body = zstandard.compress(body) if is_packed else body
                what = f"{key}: {'.'.join(map(str, at))} = {str(odd)[:40]}"
                yield what, path, b"".join(seal_record(name, body, key=key))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "home" / "store"
    send(Store.open(str(root), sync=False), tmp_path / "bomb")
    return root


def test_a_record_that_says_what_cannot_be_is_used_or_refused(
    store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    records = list(changed_records(store))
    chance = Random() if IS_LONG else Random(3)
    chance.shuffle(records)
    for what, path, data in records[: 5000 if IS_LONG else 60]:
        before = path.read_bytes()
        path.write_bytes(data)
        for line in COMMANDS:
            code = main(line.split())
            said = capfd.readouterr()
            assert code in (0, 2, 4), f"{what}: `{line}` ends with {code}: {said.err}"
            assert "Traceback (most" not in said.err, f"{what}: `{line}`: {said.err}"
        path.write_bytes(before)
    assert main(["store", "verify"]) == 0
    assert {one.name for one in store.parent.parent.iterdir()} == {"home"}
