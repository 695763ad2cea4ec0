"""The store and the client at scale: one artifact of a wide run, tags, garbage, verification.

Opening a run and reading one artifact is measured beside Metaflow's client, in processes of their
own, imports and all. The rest has no peer: `list runs` by a tag among many runs, and `gc` and
`store verify` over a store of many objects, of which half are garbage. It is made without waiting
for the disk; what is measured waits as it does for users.

    python benchmarks/store.py [--width 200] [--runs 2000] [--objects 10000] [--kept FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

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
    run_command,
)
from _runs import QUICK, begin_resumed, fill, flowkit_command, write_flow

OPEN = """
from FRAMEWORK import Run, namespace
namespace(None)
run = Run("Resumed/ID")
task = TASK
assert task.data.number == NUMBER
print("read")
"""
"""Opens a run, and reads one artifact of one of its tasks."""
TASKS = {"flowkit": 'run["work"]["NUMBER"]', "metaflow": 'next(iter(run["work"]))'}


def client_command(framework: str, python: str, runs: Path, width: int) -> list[str]:
    """Return a program that reads one artifact of a kept run.

    Metaflow numbers tasks as they come: it is given the first of the step, which costs no more.
    """
    run_id = (runs / "run_id").read_text().strip()
    task = TASKS[framework.lower()]
    text = OPEN.replace("FRAMEWORK", framework.lower()).replace("ID", run_id).replace("TASK", task)
    expected = "NUMBER" if framework == "flowkit" else "task.data.number"
    return [python, "-c", text.replace("NUMBER", expected).replace("NUMBER", str(width // 2))]


def compare_clients(runs: Path, width: int, rounds: int, peer: str) -> None:
    """Read one artifact of a run of so many tasks, by both clients."""
    sides: dict[str, Callable[[], Measured]] = {}
    for framework, python in (("flowkit", sys.executable), ("Metaflow", peer)):
        place = runs / f"{framework} {width}"
        begin_resumed(place, framework, width, python)
        command = client_command(framework, python, place, width)
        sides[framework] = partial(run_command, command, place, expected="read")
    print_table(f"open a run of {width:,} tasks, read an artifact", alternate(sides, rounds))


def list_by_tag(folder: Path, runs: int, rounds: int) -> None:
    """List the few runs of many that have a tag."""
    folder.mkdir()
    file = write_flow("linear.py", "flowkit", folder)
    run_command(flowkit_command("run", file), folder, expected="total is 6", environment=QUICK)
    run_child(__file__, "fill", folder, runs)
    questions: Mapping[str, list[str]] = {
        "list runs": flowkit_command("list", "runs"),
        "list runs --tag": flowkit_command("list", "runs", "--tag", "nightly"),
        "the same, JSON": flowkit_command("list", "runs", "--tag", "nightly", "--json"),
        "list runs --status": flowkit_command("list", "runs", "--status", "failed"),
    }
    sides = {name: partial(run_command, words, folder) for name, words in questions.items()}
    print_table(f"{runs:,} runs", alternate(sides, rounds), compared=False)


def make_objects(folder: Path, number: int) -> None:
    """Make a run whose tasks' manifests are half of so many objects, and garbage of as many."""
    from flowkit.metadata import Metadata
    from flowkit.store import Store
    from flowkit.values import Attempt, Outcome, RunId, TaskKey, TaskResult

    place = folder / "flowkit"
    store = Store.open(str(place / "store"), sync=False)
    metadata = Metadata.open(str(place / "metadata.db"))
    run = RunId("Linear", "1")
    (like, *_) = store.results(run)
    results = []
    for at in range(number // 2):
        writer = store.write_manifest()
        writer.add("number", at)
        result = TaskResult(
            attempt=Attempt(TaskKey("start", (at,))),
            status="succeeded",
            started_at=like.started_at,
            finished_at=like.finished_at,
            outcome=Outcome(manifest=writer.commit()),
            host=like.host,
        )
        store.create_result(run, result)
        results.append(result)
        store.put(b"garbage %d" % at)
    metadata.record_results(run, results)
    metadata.close()


def keep_house(home: Path, number: int, rounds: int) -> None:
    """Verify a store, collect its garbage, and build its index anew."""
    results: dict[str, list[Measured]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=home) as name:
            folder = Path(name)
            file = write_flow("linear.py", "flowkit", folder)
            begun = flowkit_command("run", file)
            run_command(begun, folder, expected="total is 6", environment=QUICK)
            run_child(__file__, "objects", folder, number)
            chores = {
                "store verify": flowkit_command("store", "verify"),
                "gc --dry-run": flowkit_command("gc", "--grace", "0s", "--dry-run"),
                "gc": flowkit_command("gc", "--grace", "0s"),
                "gc, nothing left": flowkit_command("gc", "--grace", "0s"),
                "store reindex": flowkit_command("store", "reindex"),
            }
            for chore, command in chores.items():
                results.setdefault(chore, []).append(run_command(command, folder))
    title = f"{number:,} objects, half of them garbage, and {number // 2:,} tasks"
    print_table(title, results, compared=False)


def main() -> None:
    """Look at a run, among runs, and after the store."""
    if words := child_words():
        action, folder, number = words
        work = partial(make_objects, Path(folder), int(number))
        if action == "fill":
            work = partial(fill, Path(folder), "Linear", int(number), tag="nightly", every=100)
        report(measure(work)[0])
        return
    parser = new_parser(__doc__)
    parser.add_argument("--width", type=int, default=200, help="tasks of the run to open")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--kept", type=Path, help="keep the runs to be opened here")
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        home = Path(name)
        peer = metaflow_python(options.metaflow_env or home / "metaflow")
        print_heading(METAFLOW)
        compare_clients(options.kept or home / "kept", options.width, options.rounds, peer)
        list_by_tag(home / "many", options.runs, options.rounds)
        keep_house(home, options.objects, options.rounds)


if __name__ == "__main__":
    main()
