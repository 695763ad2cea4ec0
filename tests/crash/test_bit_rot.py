"""Whatever becomes of a stored file: it is read as it was, or it is named as damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from rotting import IS_LONG, Specimen, changes, grow, held, kind_of, names_it, put_back

from flowkit.errors import StoreError
from flowkit.store import Store, find_fault, verify_store
from flowkit.testing import MemoryStorage

if TYPE_CHECKING:
    from conftest import Yard

MASKS = 16 if IS_LONG else 1
KINDS = (
    "format.json",
    "deleted",
    "run.json",
    "results",
    "logs",
    "cards",
    "clones.zst",
    "end.json",
    "tags.json",
    "object",
    "object.zst",
    "object.recipe",
    "object.chunks",
)
# Without a tombstone there is just a number that may be used again, without tags those of the
# start hold, without an end a run is as one whose runner died, and chunks only save time.
UNMISSED = ("deleted", "tags.json", "end.json", "object.chunks")


@pytest.fixture(scope="module")
def old(lasting_yard: Yard) -> Yard:
    """Runs that have left files of every kind."""
    grow(lasting_yard)
    return lasting_yard


@pytest.fixture(scope="module")
def specimen(old: Yard) -> Specimen:
    """The store of these runs, and all that can be read in it."""
    return Specimen.of(old.home / "store")


def see(storage: MemoryStorage, specimen: Specimen, key: str, change: str) -> None:
    """See that all that is read from a changed file is as before, or that the file is named."""
    is_harmless = True
    for fact in specimen.by_key.get(key, ()):
        error = what_is_wrong(lambda fact=fact: fact.check(Store(storage)))
        assert error is None or names_it(error, key), f"{key}, {change}: {fact.name}: {error}"
        is_harmless = is_harmless and error is None
    assert is_harmless or tells(storage, key), f"{key}, {change} goes unnoticed"


def what_is_wrong(read: Callable[[], object]) -> StoreError | None:
    try:
        read()
    except StoreError as error:
        return error
    return None


def tells(storage: MemoryStorage, key: str) -> bool:
    """Say whether a look at one file finds that it is damaged."""
    try:
        return find_fault(Store(storage), key) is not None
    except StoreError as error:  # of a store whose format cannot be read, nothing can be told
        return names_it(error, key)


def is_found(storage: MemoryStorage, key: str) -> bool:
    """Say whether a look at the whole store finds that this file is damaged."""
    try:
        return key in [damage.key for damage in verify_store(Store(storage))]
    except StoreError as error:
        return names_it(error, key)


def test_there_are_files_of_every_kind(specimen: Specimen) -> None:
    assert {kind_of(key) for key in specimen.files} == {*KINDS}
    unread = specimen.files.keys() - specimen.by_key.keys()
    # Tombstones are listed and not read; chunks only save time.
    assert {kind_of(key) for key in unread} == {"deleted", "object.chunks"}
    assert list(verify_store(Store(held(specimen.files)))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_byte_of_a_file_is_as_it_was_or_named(specimen: Specimen, kind: str) -> None:
    storage = held(specimen.files)
    for key, data in specimen.of_kind(kind):
        for number, (change, changed) in enumerate(changes(data, masks=MASKS)):
            if changed == data:
                continue
            put_back(storage, key, changed)
            see(storage, specimen, key, change)
            if number % 499 == 7:
                assert is_found(storage, key) or not tells(storage, key), f"{key}, {change}"
        put_back(storage, key, data)
    assert list(verify_store(Store(storage))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_in_the_place_of_another_is_named(specimen: Specimen, kind: str) -> None:
    storage = held(specimen.files)
    for key, data in specimen.of_kind(kind):
        for other, strange in specimen.of_kind(kind):
            if other != key:
                put_back(storage, key, strange)
                see(storage, specimen, key, f"replaced by {other}")
                assert is_found(storage, key)
        put_back(storage, key, data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_gone_is_missed(specimen: Specimen, kind: str) -> None:
    storage = held(specimen.files)
    for key, data in specimen.of_kind(kind):
        storage.delete(key)
        for fact in specimen.by_key.get(key, ()):
            error = what_is_wrong(lambda fact=fact: fact.read(Store(storage)))
            assert error is None or names_it(error, key), f"{key} is gone: {fact.name}: {error}"
        missed = [damage.key for damage in verify_store(Store(storage))]
        if kind in UNMISSED:
            assert missed == []
        else:
            assert any(key.startswith(one.partition(".")[0]) for one in missed), (
                f"{key} is not missed: {missed}"
            )
        storage.create(key, data)


def test_files_on_a_disk_that_rot_are_named_by_the_command(
    old: Yard, specimen: Specimen, tmp_path: Path
) -> None:
    chance = Random() if IS_LONG else Random(7)
    for turn in range(25 if IS_LONG else 1):
        root = tmp_path / str(turn)
        shutil.copytree(old.home / "store", root)
        # The end of a run tells what is missing of it.
        known = [key for key in specimen.files if kind_of(key) not in ("format.json", "end.json")]
        rotten = [*chance.sample(known, k=8), "format.json"]
        for key in rotten:
            with (root / key).open("r+b") as file:
                at = chance.randrange(len(specimen.files[key]))
                file.seek(at)
                file.write(bytes([specimen.files[key][at] ^ chance.randrange(1, 256)]))
        (gone,) = chance.sample([key for key in specimen.files if kind_of(key) == "results"], k=1)
        (root / gone).unlink()
        (root / "objects" / "stray").write_bytes(b"")
        done = subprocess.run(
            [*old.command("--store", str(root)), "store", "verify", "--json"],
            env=old.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 4, done.stderr
        found = {damage["key"] for damage in json.loads(done.stdout)["damage"]}
        lost = gone.rpartition("/")[0].rpartition("/")[0]
        expected = {*rotten, "objects/stray", lost} - {gone}
        for key in expected - found:
            # The same contents may come out of a compressed file that has changed.
            assert key.endswith(".zst"), f"{key} is damaged, and {found} are named"
            assert find_fault(Store.open(str(root)), key) is None
