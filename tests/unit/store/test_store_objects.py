"""Objects: stored once, given back whole, and damage noticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import Corrupt, KeyMissing, StoreError, StoreTooNew
from flowkit.store import Store, verify_store
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.values import Digest

LETTERS = bytes(b"etaoin s"[byte % 8] for byte in os.urandom(1 << 20))
KINDS = {
    "small": b"some bytes",
    "text": LETTERS[:50_000],
    "noise": os.urandom(100_000),
    "large noise": os.urandom(3 << 20),
    "large text": LETTERS * 3,
    "nothing": b"",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return Store.open(str(root), sync=False)


def object_file(root: Path, digest: Digest) -> Path:
    (path,) = (root / "objects" / digest.hex()[:2]).glob(f"{digest.hex()}*")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_come_back(store: Store, root: Path, kind: str) -> None:
    digest = store.put(KINDS[kind])
    assert digest == blake3(KINDS[kind]).digest()
    assert store.get(digest) == KINDS[kind]
    assert Store.open(str(root), verify="always").get(digest) == KINDS[kind]


def test_raw_objects_are_the_bytes_and_compressed_ones_a_frame(store: Store, root: Path) -> None:
    for kind, data in KINDS.items():
        path = object_file(root, store.put(data))
        assert path.suffix == (".zst" if "text" in kind else "")
        stored = path.read_bytes()
        assert data == (zstandard.decompress(stored) if path.suffix else stored)


def test_equal_bytes_are_stored_once() -> None:
    storage = CountingStorage(MemoryStorage())
    store = Store(storage)
    data = os.urandom(5000)
    assert store.put(data) == store.put(bytearray(data)) == Store(storage).put(memoryview(data))
    assert storage.count("create", "objects/") == 1


def test_loaded_bytes_may_be_written_to(store: Store) -> None:
    for data in KINDS.values():
        if data:
            digest = store.put(data)
            view = store.get(digest)
            view[0] ^= 255
            assert store.get(digest) == data


def test_a_missing_object_is_named(store: Store) -> None:
    with pytest.raises(KeyMissing) as caught:
        store.get(Digest(bytes(32)))
    assert "0" * 64 in caught.value.key


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind]])
@pytest.mark.parametrize("damage", ["altered", "truncated", "emptied", "extended", "swapped"])
def test_damage_is_noticed_and_named(store: Store, root: Path, kind: str, damage: str) -> None:
    digest = store.put(KINDS[kind])
    path = object_file(root, digest)
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(
        {
            "altered": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :],
            "truncated": data[:half],
            "emptied": b"",
            "extended": data + b"x",
            "swapped": data[::-1],
        }[damage]
    )
    for verify in ("fetched", "always"):
        with pytest.raises(Corrupt) as caught:
            Store.open(str(root), verify=verify).get(digest)
        assert caught.value.key == str(path.relative_to(root))
    assert [one.key for one in verify_store(store)] == [str(path.relative_to(root))]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind]])
def test_saving_again_heals(store: Store, root: Path, kind: str) -> None:
    digest = store.put(KINDS[kind])
    path = object_file(root, digest)
    path.write_bytes(path.read_bytes()[:-1])
    assert store.put(KINDS[kind]) == digest
    assert store.get(digest) == KINDS[kind]
    assert list(verify_store(store)) == []


def test_an_intact_large_object_is_not_hashed_again(store: Store, root: Path) -> None:
    digest = store.put(KINDS["large noise"])
    path = object_file(root, digest)
    times = os.stat(path)
    # Altered behind the seal's back, as a failing disk would: only a full check can notice.
    with path.open("r+b") as file:
        file.write(b"damage")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert bytes(store.get(digest)[:6]) == b"damage"
    with pytest.raises(Corrupt):
        Store.open(str(root), verify="always").get(digest)
    assert [one.key for one in verify_store(store)] == [str(path.relative_to(root))]


def test_a_copied_store_is_hashed_once_and_sealed_again(store: Store, root: Path) -> None:
    digest = store.put(KINDS["large noise"])
    sealed = os.stat(object_file(root, digest)).st_mtime_ns
    copy = root.with_name("copy")
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    path = object_file(copy, digest)
    assert os.stat(path).st_mtime_ns != sealed
    assert Store.open(str(copy)).get(digest) == KINDS["large noise"]
    assert os.stat(path).st_mtime_ns == sealed


def test_a_damaged_copy_is_not_sealed(store: Store, root: Path) -> None:
    digest = store.put(KINDS["large noise"])
    path = object_file(root, digest)
    with path.open("r+b") as file:
        file.write(b"damage")
    for _ in range(2):
        with pytest.raises(Corrupt):
            store.get(digest)


@given(st.binary(max_size=300), st.integers(0, 20))
def test_any_bytes_come_back_from_memory(data: bytes, times: int) -> None:
    store = Store(MemoryStorage())
    assert store.get(store.put(data * times)) == data * times


def test_reading_an_absent_store_makes_nothing(root: Path) -> None:
    store = Store.open(str(root))
    assert list(store.run_ids()) == []
    with pytest.raises(KeyMissing):
        store.get(Digest(bytes(32)))
    assert not root.exists()


def test_the_format_is_looked_at_once() -> None:
    storage = CountingStorage(MemoryStorage())
    store = Store(storage)
    assert not storage.calls
    for number in range(3):
        store.put(b"%d" % number)
        assert store.get(store.put(b"%d" % number))
    assert storage.count("read", "format.json") <= 3
    assert storage.count("create", "format.json") == 1


def test_a_newer_store_is_refused_before_anything_is_written(root: Path) -> None:
    body = b'{"format":2}'
    digest = blake3(b"flowkit format 1\nformat.json\n" + body).hexdigest().encode()
    root.mkdir()
    (root / "format.json").write_bytes(b"flowkit format 1 " + digest + b"\n" + body)
    for use in (
        lambda store: store.put(b"x"),
        lambda store: store.get(Digest(bytes(32))),
        lambda store: list(store.run_ids()),
        lambda store: store.write_manifest().commit(),
    ):
        with pytest.raises(StoreTooNew):
            use(Store.open(str(root)))
    assert [path.name for path in root.iterdir()] == ["format.json"]


def test_a_file_in_place_of_the_store_is_explained(root: Path) -> None:
    root.write_text("not a folder")
    with pytest.raises(StoreError) as caught:
        Store.open(str(root)).put(b"x")
    assert caught.value.hint


def test_a_write_that_fails_is_explained_and_leaves_nothing(root: Path) -> None:
    code = """
import resource, signal, sys
from flowkit.errors import StoreError
from flowkit.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(sys.argv[1])
store.put(b"first")
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    store.put(bytes(range(256)) * (1 << 14))
except StoreError as error:
    assert error.hint
else:
    raise AssertionError("it fitted")
"""
    subprocess.run([sys.executable, "-c", code, str(root)], check=True)
    assert list((root / ".temporary").iterdir()) == []
    assert list(verify_store(Store.open(str(root)))) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_folder_is_explained(root: Path) -> None:
    root.mkdir(mode=0o500)
    with pytest.raises(StoreError) as caught:
        Store.open(str(root)).put(b"x")
    assert "right" in (caught.value.hint or "")
