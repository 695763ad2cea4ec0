"""Runs for benchmarks to look at: wide ones by either framework, and stores of many runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from _measuring import Measured, run_command

FLOWS = Path(__file__).parent / "flows"
FAILS = {"BENCHMARK_FAILS": "1"}
UNLIMITED = ("--max-num-splits", "1000000", "--max-workers", "2")
"""Options of Metaflow's, which otherwise refuses wide flows."""
QUICK = {"FLOWKIT_SYNC": "false"}
"""Nothing waits for the disk: what is measured is what comes after."""


def write_flow(name: str, framework: str, folder: Path) -> str:
    """Write one of the flows for a framework; return the file."""
    path = folder / f"{Path(name).stem}_{framework.lower()}.py"
    path.write_text((FLOWS / name).read_text().replace("FRAMEWORK", framework.lower()))
    return str(path)


def flowkit_command(*words: object) -> list[str]:
    """Return the command line of a `flowkit` command."""
    return [sys.executable, "-m", "flowkit", *map(str, words)]


def run_wide(folder: Path, width: int, *options: str) -> Measured:
    """Run the wide flow of flowkit in a folder, to its end."""
    command = flowkit_command("run", write_flow("wide.py", "flowkit", folder), "--width", width)
    expected = f"total is {sum(range(width))}"
    return run_command([*command, *options], folder, expected=expected, environment=QUICK)


def begin_resumed(folder: Path, framework: str, width: int, python: str) -> None:
    """Run the flow that fails in its last step in a folder, unless that was done before."""
    done = folder / "width"
    if done.exists() and done.read_text() == str(width):
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = write_flow("resumed.py", framework, folder)
    given = ("--width", str(width), "--run-id-file", str(folder / "run_id"))
    if framework == "flowkit":
        command = flowkit_command("run", file, *given, "--executor", "inline")
    else:
        command = [python, file, "--no-pylint", "run", *UNLIMITED, *given]
    run_command(command, folder, expected="asked to fail", code=1, environment={**FAILS, **QUICK})
    done.write_text(str(width))


def resume(folder: Path, framework: str, width: int, python: str) -> Measured:
    """Resume that run: all but the last task are taken over, and that is run."""
    file = write_flow("resumed.py", framework, folder)
    origin = ("--origin-run-id", (folder / "run_id").read_text().strip())
    command: Sequence[str] = flowkit_command("resume", file, *origin)
    if framework != "flowkit":
        command = [python, file, "--no-pylint", "resume", *UNLIMITED, *origin]
    return run_command(command, folder, expected=f"total is {sum(range(width))}")


def fill(folder: Path, flow: str, runs: int, *, tag: str, every: int) -> None:
    """Copy a flow's first run, records and all, until there are so many; tag one in `every`."""
    from msgspec.structs import replace

    from flowkit.metadata import Metadata
    from flowkit.store import Store
    from flowkit.values import RunId

    store = Store.open(str(folder / "flowkit" / "store"), sync=False)
    metadata = Metadata.open(str(folder / "flowkit" / "metadata.db"))
    first = RunId(flow, "1")
    record, end = store.run_record(first), store.run_end(first)
    results = list(store.results(first))
    assert end is not None
    with metadata.batch():
        for number in range(2, runs + 1):
            run = RunId(flow, str(number))
            tags = (tag,) if number % every == 0 else ()
            copy = replace(record, run=run, tags=tags)
            store.create_run(copy)
            metadata.record_run(copy)
            for result in results:
                store.create_result(run, result)
            metadata.record_results(run, results)
            store.create_end(replace(end, run=run))
            metadata.record_end(replace(end, run=run))
    metadata.close()
