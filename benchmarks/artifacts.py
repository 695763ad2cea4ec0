"""Artifacts beside Metaflow: saved, loaded, saved again unchanged, and changed a little.

Each side saves the same value by its own store of artifacts, as its tasks do, in a process of its
own; imports and making the value are not counted. Beside the array, the same bytes are written to
a plain file. All is synced to the disk but what Metaflow writes, which syncs nothing. Memory is
what the process grew by.

    python benchmarks/artifacts.py [--rounds 3] [--megabytes 1000] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from _measuring import (
    METAFLOW,
    Measured,
    alternate,
    child_words,
    measure,
    metaflow_python,
    new_parser,
    print_heading,
    print_table,
    report,
    run_child,
)

NAME = "value"
SMALL = 2000
CHANGES = ("one place", "inserted at the front", "appended", "runs of 8 KB")
PEERLESS = CHANGES[1:]
"""What Metaflow is not asked for: it stores all of an array that changed, wherever that was."""


def array(megabytes: int) -> Any:
    """Return numbers of which no two runs are alike."""
    import numpy as np

    return np.random.default_rng(1).random(megabytes * 1_000_000 // 8)


def table(megabytes: int) -> Any:
    """Return an Arrow table of numbers, times and words, half the size of the array."""
    import numpy as np
    import pyarrow as pa

    source = np.random.default_rng(2)
    rows = megabytes * 1_000_000 // 2 // 50
    words = pa.array([f"name {number:>9}" for number in range(5000)])
    return pa.table(
        {
            "id": np.arange(rows),
            "x": source.random(rows),
            "at": pa.array(source.integers(0, 10**15, rows), pa.timestamp("us")),
            "count": source.integers(0, 1000, rows).astype(np.int32),
            "name": words.take(pa.array(source.integers(0, 5000, rows))),
        }
    )


def strings(megabytes: int) -> Any:
    """Return a pandas frame of text, a fifth of the size of the array."""
    import pandas as pd
    import pyarrow as pa

    rows = megabytes * 1_000_000 // 5 // 40
    notes = [f"order {number * 7919 % 10**9:>9} of day {number % 366:>3}" for number in range(rows)]
    return pd.DataFrame({"note": pd.array(pa.array(notes), dtype="string[pyarrow]")})


def small(_megabytes: int) -> dict[str, object]:
    """Return many values of the kinds that flows leave: counts, rates, names, short lists."""
    kinds: tuple[Callable[[int], object], ...] = (
        lambda at: at,
        lambda at: at / 7,
        lambda at: f"name {at}",
        lambda at: {"at": at, "seen": [at, at + 1]},
    )
    return {f"value_{at}": kinds[at % 4](at) for at in range(SMALL)}


KINDS: Mapping[str, Callable[[int], Any]] = {
    "array": array,
    "table": table,
    "strings": strings,
    "small": small,
}


def values_of(kind: str, megabytes: int) -> dict[str, object]:
    """Make what is saved, by name."""
    made = KINDS[kind](megabytes)
    return made if kind == "small" else {NAME: made}


def taken(folder: Path) -> dict[str, float]:
    """Say how many files there are in a folder, and how large they are."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"files": len(sizes), "disk_bytes": sum(sizes)}


class Flowkit:
    """flowkit's store of artifacts."""

    def __init__(self, folder: Path) -> None:
        from flowkit.store import Store

        self._store = Store.open(str(folder))
        self._at = folder.parent / "manifest"
        # What a worker has imported by the time that it saves.
        self.warm = Store.open(str(folder.parent / "warm"))
        writer = self.warm.write_manifest()
        writer.add(NAME, 1)
        writer.commit()

    def save(self, values: Mapping[str, object], *, again: bool = False) -> None:
        """Save values as a task does, after those of the task before if they come again."""
        writer = self._store.write_manifest(base=self._manifest() if again else None)
        for name, value in values.items():
            writer.add(name, value)
        manifest = writer.commit()
        if not again:
            self._at.write_bytes(manifest)

    def load(self) -> Any:
        """Load the value that was saved."""
        return self._store.load(self._manifest().artifacts[NAME])

    def _manifest(self) -> Any:
        from flowkit.values import Digest

        return self._store.manifest(Digest(self._at.read_bytes()))


class Metaflow:
    """Metaflow's store of artifacts, in a local folder."""

    def __init__(self, folder: Path) -> None:
        from metaflow.datastore.flow_datastore import FlowDataStore
        from metaflow.plugins.datastores.local_storage import LocalStorage

        self._flow = FlowDataStore(
            "Bench", environment=None, storage_impl=LocalStorage, ds_root=str(folder)
        )

    def save(self, values: Mapping[str, object], *, again: bool = False) -> None:
        """Save values as a task does."""
        task = self._flow.get_task_datastore(
            "1", "start", "2" if again else "1", attempt=0, mode="w"
        )
        task.init_task()
        task.save_artifacts(iter(values.items()))
        task.done()

    def load(self) -> Any:
        """Load the value that was saved."""
        return self._flow.get_task_datastore("1", "start", "1", attempt=0)[NAME]


class Plain:
    """A file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def save(self, values: Mapping[str, Any], *, again: bool = False) -> None:
        """Write an array's bytes, and wait for the disk."""
        with (self._folder / f"plain {again}").open("wb") as file:
            file.write(values[NAME].data.cast("B"))
            os.fsync(file.fileno())

    def load(self) -> Any:
        """Read the bytes."""
        return (self._folder / "plain False").read_bytes()


SIDES: Mapping[str, Callable[[Path], Any]] = {
    "flowkit": Flowkit,
    "Metaflow": Metaflow,
    "plain": Plain,
}


def changed(kind: str, numbers: Any) -> Any:
    """Return an array of which one per cent is new."""
    import numpy as np

    part = len(numbers) // 100
    fresh = np.random.default_rng(os.getpid()).random(part)
    if kind == "inserted at the front":
        return np.concatenate([fresh, numbers])
    if kind == "appended":
        return np.concatenate([numbers, fresh])
    numbers = numbers.copy()
    if kind == "one place":
        numbers[len(numbers) // 3 :][:part] = fresh
    else:
        run = 8192 // 8
        for at, start in enumerate(np.linspace(0, len(numbers) - run, part // run).astype(int)):
            numbers[start : start + run] = fresh[at * run : (at + 1) * run]
    return numbers


def act(side: str, action: str, kind: str, folder: Path, megabytes: int) -> None:
    """Do one thing in this process, and report it."""
    store = SIDES[side](folder / "store")
    if action == "load":
        import numpy  # noqa: F401  (a step that loads an array has imported it)

        measured, found = measure(store.load)
        report(measured, size_bytes=getattr(found, "nbytes", 0))
        return
    if action == "pass on":
        loaded = store.load()
        float(loaded.sum())
        values: dict[str, object] = {NAME: loaded}
    elif action == "save":
        values = values_of(kind, megabytes)
    else:
        made = array(megabytes)
        values = {NAME: made if action == "again" else changed(action, made)}
        del made
    before = taken(folder / "store")
    measured, _ = measure(partial(store.save, values, again=action != "save"))
    after = taken(folder / "store")
    report(measured, **{name: after[name] - before[name] for name in after})


class Bench:
    """Sides that do things in turn, each in processes of its own and in a folder of its own."""

    def __init__(self, folder: Path, peer: str, *, rounds: int, megabytes: int) -> None:
        self._folder, self._rounds, self._megabytes = folder, rounds, megabytes
        self._pythons = {"flowkit": sys.executable, "Metaflow": peer, "plain": sys.executable}

    def save(self, title: str, kind: str) -> None:
        """Compare saving something for the first time."""
        self._compare(title, "save", kind, self._save_first)

    def go_on(self, title: str, action: str) -> None:
        """Compare what is done with an array that was saved."""
        self._compare(title, action, "array", self._child)

    def _save_first(self, side: str, _action: str, kind: str) -> Measured:
        shutil.rmtree(self._folder / side, ignore_errors=True)
        (self._folder / side).mkdir()
        return self._child(side, "save", kind)

    def _child(self, side: str, action: str, kind: str) -> Measured:
        folder = self._folder / side
        return run_child(
            *(__file__, side, action, kind, folder, self._megabytes),
            python=self._pythons[side],
            environment={"METAFLOW_HOME": str(folder), "USERNAME": "benchmark"},
        )

    def _compare(
        self, title: str, action: str, kind: str, do: Callable[[str, str, str], Measured]
    ) -> None:
        has_plain = kind == "array" and action in ("save", "load")
        left_out = {"Metaflow"} if action in PEERLESS else set()
        left_out |= set() if has_plain else {"plain"}
        sides = {
            side: partial(do, side, action, kind) for side in self._pythons if side not in left_out
        }
        columns: dict[str, Callable[[Measured], float]] = {}
        if action != "load":
            columns = {
                "files": lambda one: one.facts["files"],
                "on disk, MB": lambda one: one.facts["disk_bytes"] / 1e6,
            }
        print_table(title, alternate(sides, self._rounds), columns=columns)


def main() -> None:
    """Compare all that tasks do with artifacts."""
    if words := child_words():
        side, action, kind, folder, megabytes = words
        act(side, action, kind, Path(folder), int(megabytes))
        return
    parser = new_parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the array")
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    size: int = options.megabytes
    with tempfile.TemporaryDirectory() as name:
        environment = options.metaflow_env or Path(name) / "metaflow"
        peer = metaflow_python(environment, "numpy", "pandas", "pyarrow")
        print_heading(METAFLOW)
        bench = Bench(Path(name), peer, rounds=options.rounds, megabytes=size)
        bench.save(f"save a pandas frame of {size // 5} MB of text", "strings")
        bench.save(f"save an Arrow table of {size // 2} MB", "table")
        bench.save(f"save {SMALL:,} small artifacts", "small")
        bench.save(f"save an array of {size} MB", "array")
        bench.go_on("load it", "load")
        bench.go_on("save an equal array again", "again")
        bench.go_on("load, read and pass it on", "pass on")
        for change in CHANGES:
            bench.go_on(f"1 % of it changed: {change}", change)


if __name__ == "__main__":
    main()
