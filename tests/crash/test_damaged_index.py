"""An index's file that is damaged answers as before, or says so; and it is rebuilt."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from socket import gethostname

import pytest
from rotting import IS_LONG
from untrusted import send

from flowkit.cli import main
from flowkit.errors import MetadataError
from flowkit.metadata import Metadata
from flowkit.store import Store

COMMANDS = ("list runs", "show Sent/2", "list tasks Sent/2", "explain Sent/2", "tag list Sent/1")
Change = Callable[[Path], object]


def rewritten(change: Callable[[bytes], bytes]) -> Change:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def ran(*statements: str) -> Change:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return run


def hidden_from_index(name: str, statement: str) -> Change:
    """Run a statement of which one of SQLite's own indexes learns nothing."""

    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            wanted = "FROM sqlite_master WHERE name = ?"
            (row,) = connection.execute(f"SELECT * {wanted}", (name,)).fetchall()
            connection.execute(f"DELETE {wanted}", (name,))
            connection.commit()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
            connection.commit()

    return run


def in_log(change: Callable[[bytes], bytes]) -> Change:
    """Leave what a killed writer does: a row in the log beside the file, and damage it there."""

    def damage(path: Path) -> None:
        kept = path.with_name("kept")
        kept.mkdir()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("UPDATE runs SET host = 'elsewhere'")
            connection.commit()
            for name in (path.name, f"{path.name}-wal"):
                shutil.copy(path.with_name(name), kept / name)
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
        for saved in kept.iterdir():
            shutil.copy(saved, path.parent)
        log = path.with_name(f"{path.name}-wal")
        log.write_bytes(change(log.read_bytes()))

    return damage


def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


DAMAGE: dict[str, Change] = {
    "gone": Path.unlink,
    "empty": rewritten(lambda data: b""),
    "garbage": rewritten(lambda data: noise(len(data))),
    "text": rewritten(lambda data: b"hello\n" * 1000),
    "head alone": rewritten(lambda data: data[:100]),
    "half": rewritten(lambda data: data[: len(data) // 2]),
    "no head": rewritten(lambda data: bytes(100) + data[100:]),
    "of a later SQLite": rewritten(lambda data: data[:18] + b"\3" + data[19:]),
    "zeros behind the head": rewritten(lambda data: data[:4096] + bytes(len(data) - 4096)),
    "noise behind the head": rewritten(lambda data: data[:4096] + noise(len(data) - 4096)),
    "of later": ran("UPDATE schema_version SET version = 99"),
    "of before": ran("UPDATE schema_version SET version = 1"),
    "of no version": ran("UPDATE schema_version SET version = -1"),
    "of a version that is none": ran("UPDATE schema_version SET version = 'x'"),
    "of two versions": ran("INSERT INTO schema_version VALUES (0)"),
    "version forgotten": ran("DROP TABLE schema_version"),
    "runs gone": ran("DROP TABLE runs"),
    "attempts gone": ran("DROP TABLE attempts"),
    "a column gone": ran("ALTER TABLE attempts DROP COLUMN choice"),
    "another's": ran("DROP TABLE runs", "CREATE TABLE runs (a, b)"),
    "odd times": ran("UPDATE runs SET started_at = 9223372036854775807"),
    "odd numbers": ran("UPDATE attempts SET width = -1, position = 'zz' || rowid, pid = -1"),
    "odd texts": ran("UPDATE runs SET parameters = 'x', origin = 'y', start_step = X'ff00'"),
    "odd states": ran("UPDATE attempts SET status = 'odd', failure = '{}', manifest = 'f'"),
    "an index behind its table": hidden_from_index("runs_by_start", "UPDATE runs SET started_at=1"),
    "odd changes": ran(
        "INSERT INTO changes VALUES ('t', 'Sent', '1', 9000000000000000000, 'h', 5)"
    ),
    "changes of no run": ran("INSERT INTO changes VALUES ('t', '', '', 1, 'h', 5)"),
    "odd signs of life": ran("INSERT INTO heartbeats VALUES ('Sent', '1', 'abc', 'h', 5)"),
    "signs of no process": ran(
        f"INSERT INTO heartbeats VALUES ('Sent', '2', 1, '{gethostname()}', {2**62})"
    ),
    "log of noise": in_log(lambda data: noise(len(data))),
    "log cut": in_log(lambda data: data[: len(data) // 2]),
    "log changed": in_log(lambda data: data[:100] + b"\0" + data[101:]),
    "log empty": in_log(lambda data: b""),
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The index of a store that was sent by a stranger."""
    home = tmp_path / "home"
    monkeypatch.setenv("FLOWKIT_HOME", str(home))
    monkeypatch.setenv("FLOWKIT_SYNC", "false")
    monkeypatch.chdir(tmp_path)
    send(Store.open(str(home / "store"), sync=False), tmp_path / "bomb")
    assert main(["store", "reindex"]) == 0
    yield home / "metadata.db"
    assert not (tmp_path / "bomb").exists()


def snapshot(path: Path) -> object:
    with closing(Metadata.open(str(path))) as metadata:
        return metadata.snapshot()


def see(what: str, capfd: pytest.CaptureFixture[str]) -> None:
    """See that commands answer, or end with one error that is no bug's."""
    for line in COMMANDS:
        code = main(line.split())
        said = capfd.readouterr()
        assert code in (0, 2, 4), f"{what}: `{line}` ends with {code}: {said.err}"
        assert "Traceback (most" not in said.err, f"{what}: `{line}`: {said.err}"
        if code == 4:
            assert said.err.count("error:") == 1
            assert "hint:" in said.err


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_index_says_so_and_is_rebuilt(
    index: Path, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(index)
    DAMAGE[what](index)
    see(what, capfd)
    code = main(["store", "reindex"])
    said = capfd.readouterr()
    if what == "of later":
        assert (code, "upgrade flowkit" in said.err) == (4, True)
        return
    assert code == 0, said.err
    assert snapshot(index) == before
    assert main(["show", "Sent/2"]) == 0


def test_bytes_of_an_index_that_change_are_noticed_or_do_no_harm(
    index: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = index.read_bytes()
    before = snapshot(index)
    chance = Random() if IS_LONG else Random(5)
    for turn in range(2000 if IS_LONG else 25):
        data = bytearray(whole)
        start = chance.randrange(len(data)) if turn % 2 else chance.randrange(200)
        size = chance.choice((1, 1, 4, 64, 5000))
        data[start : start + size] = chance.randbytes(min(size, len(data) - start))
        for left in index.parent.glob("metadata.db*"):
            left.unlink()
        index.write_bytes(data)
        see(f"{size} bytes at {start}", capfd)
        assert main(["store", "reindex"]) == 0, f"{size} bytes at {start}: {capfd.readouterr().err}"
        assert snapshot(index) == before, f"{size} bytes at {start}"


def test_a_folder_in_the_place_of_an_index_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(MetadataError):
        Metadata.open(str(tmp_path))
    with pytest.raises(MetadataError):
        Metadata.open_sound(str(tmp_path))
