"""Whatever names come from outside: what they lead to is in the store, or nothing is touched."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rotting import IS_LONG
from untrusted import send

from flowkit.cli import main
from flowkit.errors import Corrupt, FlowkitError, KeyMissing, StoreError, UsageError
from flowkit.records import StoredCard
from flowkit.store import Damage, DirectoryStorage, Store, open_storage, verify_store
from flowkit.values import Attempt, Digest, RunId, TaskKey

TEXTS = (
    *("..", ".", "", "/", "//", "/etc/passwd", "../../outside/precious", "a/../../x", "./x", "~"),
    *("a\0b", "a\nb", "..\n", "a\\..\\b", "C:\\x", "\u2024\u2024", "\uff0e\uff0e/x", "\u2025"),
    *("Sent", "start", "1", "e\u0301", "\u00e9", "\ud800", "\udc80", ".locks", "%2e%2e", "a b"),
    *("run.json", "format.json", "objects", "deleted", "con", "\u202e", "\uff0f", "\u2215x"),
    *("x" * 5000, "-", ".temporary"),
)
NAMES = st.sampled_from(TEXTS) | st.text(max_size=20)
KEYS = st.lists(NAMES, max_size=4).map("/".join)
CALM = settings(max_examples=3000 if IS_LONG else 50, deadline=None, derandomize=not IS_LONG)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in a folder, with others beside and above that must stay as they are."""
    folder = tmp_path_factory.mktemp("above")
    (folder / "outside").mkdir()
    (folder / "outside" / "precious").write_text("mine")
    send(Store.open(str(folder / "store"), sync=False), folder / "bomb")
    return folder / "store"


def beside(root: Path) -> dict[str, tuple[int, int]]:
    """Return what lies beside a store: paths, with sizes and times of change."""
    found = {}
    for top in root.parent.iterdir():
        for path in [top, *top.rglob("*")] if top != root else ():
            status = path.lstat()
            found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


def uses(storage: DirectoryStorage, key: str) -> Iterator[Callable[[], object]]:
    """Yield all that can be done with a key, writing first."""
    yield lambda: storage.create(key, b"data")
    yield lambda: storage.swap(key, b"data", expected=None)
    yield lambda: storage.read(key)
    yield lambda: storage.map(key)
    yield lambda: storage.load(key)
    yield lambda: storage.size(key)
    yield lambda: storage.refresh(key)
    yield lambda: list(storage.list(key))
    yield lambda: list(storage.folders(key))
    yield lambda: storage.delete(key)


@CALM
@given(key=KEYS)
@example("/etc/passwd")
@example("runs/../../outside/precious")
def test_no_key_leads_out_of_a_directory(root: Path, key: str) -> None:
    before = beside(root)
    storage = DirectoryStorage(root, sync=False)
    for use in uses(storage, key):
        with suppress(FlowkitError, ValueError):
            use()
    assert beside(root) == before


@CALM
@given(
    flow=NAMES, run=NAMES, step=NAMES, path=st.lists(st.integers(-2, 1 << 70), max_size=3),
    numbers=st.tuples(st.integers(-2, 1 << 70), st.integers(-2, 1 << 70)), card=NAMES,
)  # fmt: skip
def test_no_name_of_a_record_leads_out_of_the_store(
    root: Path, flow: str, run: str, step: str, path: list[int], numbers: tuple[int, int], card: str
) -> None:
    before = beside(root)
    store = Store.open(str(root), sync=False)
    number, iteration = numbers
    named = RunId(flow, run)
    attempt = Attempt(TaskKey(step, tuple(path), iteration), number)
    made = StoredCard(attempt=attempt, number=number, type=card, id=card, html="", data=None)
    acts: tuple[Callable[[], object], ...] = (
        lambda: store.create_log(named, attempt, b"log"),
        lambda: store.create_card(named, made),
        lambda: store.log(named, attempt),
        lambda: store.cards(named, attempt),
        lambda: store.result(named, attempt),
        lambda: store.replace_log(named, attempt, b""),
        lambda: store.change_tags(named, lambda tags: {*tags, "a"}),
        lambda: list(store.run_ids(flow)),
        lambda: store.next_run_number(flow),
        lambda: store.delete_run(named),
    )
    for act in acts:
        with suppress(FlowkitError):
            act()
    assert beside(root) == before


@CALM
@given(text=NAMES | KEYS)
def test_a_name_that_is_a_key_is_one_in_any_normal_form(text: str) -> None:
    """File systems may bring names into a normal form: that must not make another path of them."""
    with suppress(FlowkitError, ValueError):
        folder = Store.open("/nowhere").count_records(RunId(text, "1"))
        assert folder == {}
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            normal = unicodedata.normalize(form, text)
            assert normal.isidentifier()
            assert not {"/", ".", "\\", "\0"} & {*normal}


@pytest.mark.parametrize(
    "text", ["file://[", "file:///a%00b", "layered://[", "layered:///x?beneath="]
)
def test_what_is_no_url_of_a_store_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        open_storage(text)


def test_a_folder_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path, sync=False)
    (tmp_path / "objects").mkdir()
    (tmp_path / "leads").symlink_to("nowhere")
    for key in ("objects", "leads"):
        with pytest.raises(StoreError, match="what is there is no file"):
            storage.create(key, b"data")


@pytest.mark.parametrize("key", ["runs/Sent/1/run.json", "objects/00/" + "0" * 64, "format.json"])
def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path: Path, key: str) -> None:
    root = tmp_path / "store"
    path = root / key
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    storage = DirectoryStorage(root, sync=False)
    with pytest.raises(KeyMissing):
        storage.read(key)
    with pytest.raises(KeyMissing):
        storage.map(key)
    store = Store.open(str(root), sync=False)
    assert Damage(key, "it is no file that can be read") in list(verify_store(store))
    with suppress(KeyMissing):
        store.run_record(RunId("Sent", "1"))
    with suppress(KeyMissing):
        store.get(Digest(bytes(32)))


@pytest.mark.parametrize("suffix", ["", ".zst", ".recipe", ".chunks"])
def test_verifying_tells_of_a_link_to_what_is_no_file(tmp_path: Path, suffix: str) -> None:
    key = f"objects/00/{'0' * 64}{suffix}"
    path = tmp_path / key
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/zero")
    store = Store.open(str(tmp_path), sync=False)
    assert Damage(key, "it is no file that can be read") in list(verify_store(store))


@pytest.mark.parametrize(
    "key", ["runs/Sent/1/run.json", "runs/Sent/1/tags.json", f"objects/00/{'0' * 64}.zst"]
)
def test_a_file_that_is_too_large_to_be_read_is_named(tmp_path: Path, key: str) -> None:
    path = tmp_path / key
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, 20 << 30)
    store = Store.open(str(tmp_path), sync=False)
    (reason,) = [one.reason for one in verify_store(store) if one.key == key]
    assert reason == f"it has {20 << 30} bytes, and no record or frame has so many"


def test_of_a_large_format_file_no_more_is_read_than_it_may_have(tmp_path: Path) -> None:
    Store.open(str(tmp_path), sync=False).put(b"data")
    os.truncate(tmp_path / "format.json", 20 << 30)
    with pytest.raises(Corrupt, match=r"format\.json"):
        Store.open(str(tmp_path)).get(Digest(bytes(32)))


def test_memory_that_is_not_there_is_an_error_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = DirectoryStorage(tmp_path, sync=False)
    storage.create("k", b"data")

    def fail(*_: object) -> bytearray:
        raise MemoryError

    monkeypatch.setattr("flowkit.store.directory._read", fail)
    for read in (storage.read, storage.map):
        with pytest.raises(StoreError, match="`k`: there is not enough memory"):
            read("k")


@pytest.mark.parametrize("name", ["back\\slash", ".hidden", "a\\", os.fsdecode(b"\xff\\")])
def test_files_that_no_key_names_are_not_of_the_store(
    root: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = root / "objects" / name
    folder.mkdir()
    (folder / "file").write_text("mine")
    (root / name).write_text("mine")
    try:
        for line in ("store verify", "store reindex", "list runs", "gc"):
            words = ["--home", str(root.parent), "--store", str(root), *line.split()]
            assert main(words) in (0, 4), capfd.readouterr().err
        assert (folder / "file").read_text() == "mine"
    finally:
        (folder / "file").unlink()
        folder.rmdir()
        (root / name).unlink()
