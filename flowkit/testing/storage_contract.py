"""What every storage promises: derive a class, give it a `storage` fixture, and run pytest."""

# A test needs no docstring: its name is its sentence.

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowkit.errors import Corrupt, KeyMissing, VersionMoved
from flowkit.ports import Storage

_BAD_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    ".hidden",
    "a/.b",
    "a\\b",
    "\0",
]
_OLD_S = 3600.0
_CLOCK_TICK_S = 0.02
_BIG = 3 << 20


class StorageContract:
    """Derive from it and define the fixture `storage`: an empty storage."""

    def test_created_bytes_are_read_back(self, storage: Storage) -> None:
        assert storage.create("a/b/c", b"one ", bytearray(b"two "), memoryview(b"three"))
        assert storage.read("a/b/c") == b"one two three"
        assert storage.size("a/b/c") == 13

    def test_nothing_is_a_value_too(self, storage: Storage) -> None:
        assert storage.create("empty")
        assert storage.read("empty") == b""
        assert storage.size("empty") == 0
        assert bytes(storage.map("empty")) == b""

    def test_buffers_of_any_shape_are_stored_as_their_bytes(self, storage: Storage) -> None:
        wide = memoryview(bytes(range(24))).cast("B", (2, 3, 4))
        numbers = memoryview(bytes(16)).cast("q")
        assert storage.create("k", wide, numbers, b"")
        assert storage.read("k") == bytes(range(24)) + bytes(16)

    def test_thousands_of_buffers_are_one_value(self, storage: Storage) -> None:
        assert storage.create("k", *[b"%d," % number for number in range(5000)])
        assert storage.read("k") == b"".join(b"%d," % number for number in range(5000))

    def test_the_first_creation_wins(self, storage: Storage) -> None:
        data = b"first"
        assert storage.create("k", data)
        assert not storage.create("k", data)
        assert not storage.create("k", b"second")
        assert storage.read("k") == b"first"

    def test_of_many_threads_that_create_one_wins(self, storage: Storage) -> None:
        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(lambda number: storage.create("k", b"%d" % number), range(64)))
        assert created.count(True) == 1
        assert storage.read("k") == b"%d" % created.index(True)

    def test_ranges_are_read(self, storage: Storage) -> None:
        storage.create("k", b"0123456789")
        assert storage.read("k", start=3) == b"3456789"
        assert storage.read("k", start=3, length=4) == b"3456"
        assert storage.read("k", start=8, length=10) == b"89"
        assert storage.read("k", start=20, length=1) == b""
        assert storage.read("k", length=0) == b""

    def test_a_missing_key_is_named(self, storage: Storage) -> None:
        storage.create("a/b", b"x")
        for key in ("k", "a", "a/b/c", "a/c"):
            for read in (storage.read, storage.map, storage.size):
                with pytest.raises(KeyMissing) as caught:
                    read(key)
                assert caught.value.key == key
            assert storage.load(key) is None
            assert not storage.delete(key)
            assert not storage.refresh(key)

    @pytest.mark.parametrize("key", _BAD_KEYS)
    def test_keys_that_leave_the_storage_are_refused(self, storage: Storage, key: str) -> None:
        for use in (storage.read, storage.create, storage.map, storage.load, storage.delete):
            with pytest.raises(ValueError, match="key"):
                use(key)
        with pytest.raises(ValueError, match="key"):
            storage.swap(key, b"", expected=None)

    @pytest.mark.parametrize("size", [10, _BIG])
    def test_mapped_bytes_are_private(self, storage: Storage, size: int) -> None:
        data = bytes(range(250)) * (size // 250) + b"end"
        storage.create("k", data)
        view = storage.map("k")
        assert view == data
        view[0] = 99
        assert storage.read("k", length=4) == data[:4]
        assert storage.map("k")[0] == data[0]

    def test_a_check_sees_the_bytes_and_its_error_is_passed_on(self, storage: Storage) -> None:
        seen: list[bytes] = []

        def refuse(view: memoryview) -> None:
            seen.append(bytes(view))
            raise Corrupt("k", "refused")

        storage.create("k", b"data")
        with pytest.raises(Corrupt):
            storage.map("k", check=refuse)
        assert seen == [b"data"]

    def test_listing_is_sorted_and_within_the_folder(self, storage: Storage) -> None:
        keys = ["a", "b/a", "b/b/c", "b-a/x", "b.a", "bb/a", "b/0"]
        for key in keys:
            storage.create(key, b"")
        assert list(storage.list("")) == sorted(keys)
        assert list(storage.list("b")) == ["b/0", "b/a", "b/b/c"]
        assert list(storage.list("b/")) == ["b/0", "b/a", "b/b/c"]
        assert list(storage.list("nothing")) == []

    def test_folders_are_named_once_and_without_keys(self, storage: Storage) -> None:
        for key in ["a", "b/x/y", "b/x/z", "b/w/1", "b/key", "c/d"]:
            storage.create(key, b"")
        assert list(storage.folders("")) == ["b", "c"]
        assert list(storage.folders("b")) == ["w", "x"]
        assert list(storage.folders("nothing")) == []

    def test_a_deleted_key_is_gone_and_its_folder_too(self, storage: Storage) -> None:
        storage.create("a/b/c", b"x")
        assert storage.delete("a/b/c")
        assert not storage.delete("a/b/c")
        assert list(storage.list("")) == []
        assert list(storage.folders("")) == []
        assert storage.create("a/b/c", b"y")
        assert storage.read("a/b/c") == b"y"

    def test_a_young_key_is_spared(self, storage: Storage) -> None:
        storage.create("k", b"x")
        assert not storage.delete("k", unless_younger_s=_OLD_S)
        assert not storage.delete("k", unless_younger_s=lambda: _OLD_S)
        assert storage.read("k") == b"x"

    def test_an_age_that_is_asked_for_is_asked_for_after_the_keys(self, storage: Storage) -> None:
        began_s = time.time()
        storage.create("k", b"x")

        def least_s() -> float:
            oldest_s = time.time() - began_s + _CLOCK_TICK_S
            time.sleep(5 * _CLOCK_TICK_S)  # would have it removed, if it counted as its age
            return oldest_s

        assert not storage.delete("k", unless_younger_s=least_s)
        assert storage.delete("k", unless_younger_s=lambda: 0.0)

    def test_swapping_needs_the_current_version(self, storage: Storage) -> None:
        assert storage.load("k") is None
        with pytest.raises(VersionMoved):
            storage.swap("k", b"x", expected="nonsense")
        first = storage.swap("k", b"one", expected=None)
        with pytest.raises(VersionMoved):
            storage.swap("k", b"x", expected=None)
        second = storage.swap("k", b"two", expected=first)
        with pytest.raises(VersionMoved) as caught:
            storage.swap("k", b"x", expected=first)
        assert caught.value.key == "k"
        stored = storage.load("k")
        assert stored is not None
        assert (stored.data, stored.version) == (b"two", second)
        assert storage.read("k") == b"two"

    def test_no_swap_of_many_threads_is_lost(self, storage: Storage) -> None:
        def add(number: int) -> None:
            while True:
                stored = storage.load("k")
                data = stored.data if stored else b""
                try:
                    storage.swap(
                        "k", data + b"%d," % number, expected=stored.version if stored else None
                    )
                except VersionMoved:
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(add, range(40)))
        numbers = storage.read("k").split(b",")[:-1]
        assert sorted(map(int, numbers)) == list(range(40))

    def test_nothing_is_left_half_written(self, storage: Storage, tmp_path: Path) -> None:
        storage.create("k", b"x")
        storage.swap("s", b"y", expected=None)
        assert storage.clean(older_than_s=0.0) == 0
        assert list(storage.list("")) == ["k", "s"]
