"""Loaded bytes that nobody has written to keep their digest unread; written ones never do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from flowkit.store import Store
from flowkit.store.hashing import Pieces
from flowkit.values import ArtifactEntry, Digest

SIZE = 3_000_001
"""No whole number of pages."""

tells_pages = pytest.mark.skipif(sys.platform != "linux", reason="the system tells of no pages")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path), sync=False)


@pytest.fixture
def digest(store: Store) -> Digest:
    return store.put(np.random.default_rng(1).bytes(SIZE))


def known(store: Store, data: memoryview | np.ndarray) -> Digest | None:
    return store.objects.find_digest(Pieces([data]))


@tells_pages
def test_a_map_that_was_only_read_keeps_its_digest(store: Store, digest: Digest) -> None:
    view = store.get(digest)
    assert known(store, view) == digest
    assert view[0] + view[-1] + sum(view[::4096]) > 0
    assert known(store, view) == digest
    assert known(store, np.frombuffer(view, np.uint8)) == digest


@pytest.mark.parametrize("at", [0, 4095, 4096, SIZE // 2, SIZE - 1])
def test_a_map_that_one_byte_was_written_to_has_none(store: Store, digest: Digest, at: int) -> None:
    view = store.get(digest)
    view[at] = view[at] ^ 1
    assert known(store, view) is None
    view[at] = view[at] ^ 1
    assert known(store, view) is None


def test_a_part_of_a_map_or_a_copy_has_none(store: Store, digest: Digest) -> None:
    view = store.get(digest)
    assert known(store, view[:-1]) is None
    assert known(store, view[1:]) is None
    assert known(store, memoryview(bytes(view))) is None


@tells_pages
def test_maps_of_one_object_are_told_apart(store: Store, digest: Digest) -> None:
    read, written = store.get(digest), store.get(digest)
    written[0] ^= 1
    assert known(store, read) == digest
    assert known(store, written) is None


def test_what_a_parent_wrote_is_known_in_its_child(store: Store, digest: Digest) -> None:
    view = store.get(digest)
    view[SIZE // 2] ^= 1
    pid = os.fork()
    if pid == 0:
        os._exit(0 if known(store, view) is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def save(store: Store, numbers: object) -> ArtifactEntry:
    writer = store.write_manifest()
    writer.add("numbers", numbers)
    return store.manifest(writer.commit()).artifacts["numbers"]


@tells_pages
def test_an_array_is_passed_on_unread_until_an_element_changes(
    store: Store, tmp_path: Path
) -> None:
    entry = save(store, np.arange(400_000.0))
    numbers = store.load(entry)
    assert isinstance(numbers, np.ndarray)
    (path,) = tmp_path.rglob(str(entry.parts[1].digest and entry.parts[1].digest.hex()))
    alter(path)
    assert save(store, numbers).digest == entry.digest, "the bytes were read"

    numbers[7] = 1.5
    changed = save(store, numbers)
    assert changed.digest != entry.digest
    assert np.array_equal(numbers, store.load(changed))  # type: ignore[arg-type]


def alter(path: Path) -> None:
    """Change a byte of a file behind the back of everybody, its seal included."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(8 * 200_000)
        file.write(b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
