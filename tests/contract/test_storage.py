"""The storages that flowkit ships, held to their contract."""

from pathlib import Path

import pytest

from flowkit.ports import Storage
from flowkit.store import DirectoryStorage
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
