"""The storages that flowkit ships, held to their contract."""

from pathlib import Path

import pytest

from flowkit.errors import KeyMissing, UsageError
from flowkit.ports import Storage
from flowkit.store import DirectoryStorage, LayeredStorage, Store, layered_url
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.testing.storage_contract import StorageContract


class TestDirectoryStorage(StorageContract):
    @pytest.fixture(params=[True, False], ids=["synced", "unsynced"])
    def storage(self, request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
        return DirectoryStorage(tmp_path / "not" / "there yet", sync=request.param)


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestCountingStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return CountingStorage(MemoryStorage())


def test_memory_keys_age_and_are_made_young_again() -> None:
    now = 0.0
    storage = MemoryStorage(now=lambda: now)
    for key in ("old", "refreshed", "created"):
        storage.create(key, b"x")
    now = 100.0
    assert storage.refresh("refreshed")
    assert not storage.create("created", b"x")
    deleted = [key for key in list(storage.list("")) if storage.delete(key, unless_younger_s=60)]
    assert deleted == ["old"]


def test_calls_are_counted_by_operation_and_prefix() -> None:
    storage = CountingStorage(MemoryStorage())
    storage.create("a/1", b"x")
    storage.create("a/1", b"x")
    storage.create("b", b"x")
    storage.read("a/1")
    assert storage.count("create") == 3
    assert storage.count("create", "a/") == 2
    assert storage.count("read") == 1
    storage.reset()
    assert storage.count("create") == 0


class TestLayeredStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return LayeredStorage(MemoryStorage(), MemoryStorage())


def test_a_layered_storage_reads_objects_beneath_and_writes_nothing_there() -> None:
    own, beneath = MemoryStorage(), CountingStorage(MemoryStorage())
    beneath.create("objects/ab/abcd", b"beneath")
    beneath.create("runs/Flow/1/run.json", b"record")
    storage = LayeredStorage(own, beneath)
    beneath.reset()
    assert storage.read("objects/ab/abcd") == bytes(storage.map("objects/ab/abcd")) == b"beneath"
    assert storage.size("objects/ab/abcd") == 7
    assert storage.refresh("objects/ab/abcd")
    for read in (storage.read, storage.map, storage.size):
        with pytest.raises(KeyMissing):
            read("runs/Flow/1/run.json")
    assert list(storage.list("")) == []
    storage.create("objects/ab/abce", b"own")
    assert not storage.delete("objects/ab/abcd")
    assert list(storage.list("")) == ["objects/ab/abce"]
    assert {one: beneath.count(one) for one in ("create", "refresh", "delete", "swap")} == {
        "create": 0,
        "refresh": 0,
        "delete": 0,
        "swap": 0,
    }


def test_a_layered_store_is_named_by_a_url(tmp_path: Path) -> None:
    beneath = Store.open(str(tmp_path / "a store"))
    digest = beneath.put(b"x" * 100)
    url = layered_url(str(tmp_path / "own & other"), str(tmp_path / "a store"))
    store = Store.open(url)
    assert bytes(store.get(digest)) == b"x" * 100
    assert store.put(b"x" * 100) == digest
    assert list(store.storage.list("objects")) == []
    for wrong in ("layered:///folder", "layered://host/folder?beneath=/x", "layered://?beneath=/x"):
        with pytest.raises(UsageError, match="names no two storages"):
            Store.open(wrong)
