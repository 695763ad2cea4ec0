"""What a directory promises beyond the contract: other processes, times, files of its own."""

import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flowkit.errors import UsageError, VersionMoved
from flowkit.store import DirectoryStorage, Store, open_storage

PROCESSES = 6
FORK = multiprocessing.get_context("fork")


def in_processes(act: Callable[[int], object]) -> list[object]:
    """Run a function in several forked processes that start together; returns what each returns."""
    barrier = FORK.Barrier(PROCESSES)
    results = FORK.SimpleQueue()

    def run(number: int) -> None:
        barrier.wait(timeout=60)
        try:
            results.put((number, act(number)))
        except Exception:
            results.put((number, traceback.format_exc()))
            raise

    processes = [FORK.Process(target=run, args=(number,)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    found = dict(results.get() for _ in processes)
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES, found
    return [found[number] for number in range(PROCESSES)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def storage(root: Path) -> DirectoryStorage:
    return DirectoryStorage(root, sync=False)


def test_of_many_processes_that_create_one_wins(storage: DirectoryStorage) -> None:
    def create(number: int) -> list[bool]:
        return [storage.create(f"a/{turn}", b"%d" % number * 5000) for turn in range(50)]

    created = in_processes(create)
    for turn in range(50):
        winners = [number for number in range(PROCESSES) if created[number][turn]]
        assert len(winners) == 1
        assert storage.read(f"a/{turn}") == b"%d" % winners[0] * 5000
    assert storage.clean(older_than_s=0.0) == 0


def test_no_swap_of_many_processes_is_lost(storage: DirectoryStorage) -> None:
    def count(number: int) -> int:
        lost = 0
        done = 0
        while done < 25:
            stored = storage.load("counter")
            value = int(stored.data) if stored else 0
            try:
                storage.swap(
                    "counter", b"%d" % (value + 1), expected=stored.version if stored else None
                )
                done += 1
            except VersionMoved:
                lost += 1
        return lost

    in_processes(count)
    assert storage.read("counter") == b"%d" % (25 * PROCESSES)


@pytest.mark.parametrize("sync", [True, False], ids=["synced", "unsynced"])
def test_creating_and_deleting_side_by_side_never_fails(root: Path, sync: bool) -> None:
    storage = DirectoryStorage(root, sync=sync)

    def churn(number: int) -> int:
        changes = 0
        for turn in range(200):
            key = f"folder/{turn % 3}/k"
            changes += storage.delete(key) if number % 2 else storage.create(key, b"x")
        return changes

    assert sum(in_processes(churn)) > 0  # type: ignore[arg-type]


def test_writers_whose_files_are_taken_for_leftovers_write_them_again(root: Path) -> None:
    storage = DirectoryStorage(root, sync=False)

    def work(number: int) -> int:
        if number == 0:
            return sum(storage.clean(older_than_s=0.0) for _ in range(2000))
        for turn in range(200):
            assert storage.create(f"{number}/{turn}", b"x" * 10_000)
            last = storage.load(f"last/{number}")
            storage.swap(f"last/{number}", b"%d" % turn, expected=last.version if last else None)
        return 0

    assert in_processes(work)[0] > 0  # type: ignore[operator]
    assert len(list(storage.list(""))) == (PROCESSES - 1) * 201
    assert storage.clean(older_than_s=0.0) == 0


def ticked(path: Path, after_ns: int) -> None:
    """Wait for the file system's clock, which may be coarse, by using it."""
    path.touch()
    while os.stat(path).st_ctime_ns <= after_ns:
        path.touch()


@pytest.mark.parametrize("reuse", ["create", "refresh"])
def test_a_key_that_is_reused_is_young_again_and_keeps_its_times(
    storage: DirectoryStorage, root: Path, tmp_path: Path, reuse: str
) -> None:
    storage.create("k", b"x")
    before = os.stat(root / "k")
    ticked(tmp_path / "clock", before.st_ctime_ns)
    if reuse == "create":
        assert not storage.create("k", b"y")
    else:
        assert storage.refresh("k")
    after = os.stat(root / "k")
    assert after.st_ctime_ns > before.st_ctime_ns
    assert after.st_mtime_ns == before.st_mtime_ns


def test_old_keys_are_deleted_and_young_ones_are_not(root: Path) -> None:
    later = DirectoryStorage(root, now=lambda: os.stat(root / "k").st_ctime + 100)
    later.create("k", b"x")
    assert not later.delete("k", unless_younger_s=101)
    assert later.delete("k", unless_younger_s=99)


def test_leftovers_of_dead_writers_are_removed_when_old(root: Path) -> None:
    leftover = root / ".temporary" / "0123"
    later = DirectoryStorage(root, now=lambda: os.stat(leftover).st_ctime + 100)
    later.create("k", b"x")
    leftover.write_bytes(b"half of somethi")
    # As that of a file that was sealed, and is about to get its name.
    os.utime(leftover, (0, 0))
    assert list(later.list("")) == ["k"]
    assert later.clean(older_than_s=101) == 0
    assert later.clean(older_than_s=99) == 1
    assert not leftover.exists()


def test_only_large_files_are_sealed(storage: DirectoryStorage, root: Path) -> None:
    storage.create("small", b"x")
    storage.create("large", bytes(1 << 20))
    assert os.stat(root / "small").st_mtime > 1_600_000_000
    assert 1_000_000_000 <= os.stat(root / "large").st_mtime < 1_100_000_000


def test_the_seal_is_what_the_format_says(storage: DirectoryStorage, root: Path) -> None:
    # BLAKE3 of the text `large` starts with these four bytes.
    from blake3 import blake3

    storage.create("large", bytes(1 << 20))
    number = int.from_bytes(blake3(b"large").digest()[:4], "little")
    assert os.stat(root / "large").st_mtime == 1_000_000_000 + number % 100_000_000


def test_files_obey_the_umask(root: Path) -> None:
    old = os.umask(0o027)
    try:
        DirectoryStorage(root).create("a/b", b"x")
    finally:
        os.umask(old)
    assert os.stat(root / "a/b").st_mode & 0o777 == 0o640
    assert os.stat(root / "a").st_mode & 0o777 == 0o750


def test_more_objects_than_file_descriptors_can_be_loaded(root: Path) -> None:
    code = """
import resource, sys
from flowkit.store import DirectoryStorage
from pathlib import Path
storage = DirectoryStorage(Path(sys.argv[1]), sync=False)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
storage.create("k", bytes(1 << 20))
views = [storage.map("k") for _ in range(200)]
assert all(len(view) == 1 << 20 for view in views)
"""
    subprocess.run([sys.executable, "-c", code, str(root)], check=True)


def test_maps_release_their_descriptors(storage: DirectoryStorage) -> None:
    storage.create("k", bytes(1 << 20))
    storage.map("k")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        storage.map("k")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_mapped_object_outlives_its_file(root: Path) -> None:
    store = Store.open(str(root))
    digest = store.put(bytes(range(256)) * 8192)
    view = store.get(digest)
    for key in list(store.storage.list("objects")):
        store.storage.delete(key)
    assert view == bytes(range(256)) * 8192


def test_saving_a_large_array_needs_no_copy_of_it(root: Path) -> None:
    code = """
import resource, sys
import numpy as np, pyarrow as pa
from flowkit.store import Store
store = Store.open(sys.argv[1], sync=False)
store.write_manifest().commit()
array = np.random.default_rng(1).random(24 << 20)
table = pa.table({"x": array[: 12 << 20], "y": array[12 << 20 :]})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
writer = store.write_manifest()
writer.add("array", array)
writer.add("table", table)
writer.commit()
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(grown)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 64 << 20  # of 192 MiB, twice


def test_urls_name_directories(root: Path, tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    for url, where in {
        str(root): root,
        f"file://{root}": root,
        f"file://localhost{root}": root,
        f"file://{str(spaced).replace(' ', '%20')}": spaced,
    }.items():
        open_storage(url).create("k", b"x")
        assert (where / "k").read_bytes() == b"x"
        (where / "k").unlink()


@pytest.mark.parametrize("url", ["martian://bucket/x", "file://elsewhere/x", "memory://"])
def test_unknown_urls_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_storage(url)


def test_a_relative_path_is_fixed_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = open_storage("here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    storage.create("k", b"x")
    assert (tmp_path / "here" / "k").exists()


def test_arrays_survive_a_fork(root: Path) -> None:
    store = Store.open(str(root), sync=False)
    writer = store.write_manifest()
    writer.add("x", np.arange(1 << 18))
    entry = store.manifest(writer.commit()).artifacts["x"]
    here = store.load(entry)

    def change(number: int) -> int:
        array = store.load(entry)
        assert isinstance(array, np.ndarray)
        array[:] = number
        return int(array.sum())

    assert in_processes(change) == [number << 18 for number in range(PROCESSES)]
    assert np.array_equal(here, np.arange(1 << 18))  # type: ignore[arg-type]
