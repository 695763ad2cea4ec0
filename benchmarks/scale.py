"""Wide runs and many runs: whether a task, a question and a run cost what they did before.

A foreach of no-op tasks is run at growing widths, in the driver's own process and, to a lesser
width, in processes of their own; what the driver grows by is told a task. Then come questions to
the widest run, each a command or program of its own, and a small run in an empty store beside
one in a store that holds many runs. Nothing here waits for the disk.

    python benchmarks/scale.py [--widths 1000 10000] [--real 250 1000] [--runs 2000]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _measuring import (
    Measured,
    alternate,
    child_words,
    measure,
    new_parser,
    print_heading,
    print_table,
    report,
    run_child,
    run_command,
)
from _runs import QUICK, fill, flowkit_command, run_wide, write_flow

CLIENT = """
from flowkit import Run
run = Run("Wide/1")
assert {{step.id for step in run}} == {{"start", "work", "join", "end"}}
assert run["work"]["{last}"].data.number == {last}
"""


def compare_widths(title: str, widths: Sequence[int], options: Sequence[str], home: Path) -> None:
    """Run the flow at growing widths, and tell what a task more has cost."""
    print(f"\n{title}")
    print(f"{'tasks':>10}{'CPU s':>10}{'ms a task':>11}{'wall s':>9}{'memory, MB':>12}")
    taken = []
    for width in widths:
        folder = home / f"{options[-1]} {width}"
        folder.mkdir()
        one = run_wide(folder, width, *options)
        taken.append(one)
        each = one.cpu_s / width * 1000
        print(f"{width:>10,}{one.cpu_s:>10.2f}{each:>11.3f}", end="")
        print(f"{one.wall_s:>9.1f}{one.memory_bytes / 1e6:>12.1f}")
    more = widths[-1] - widths[0]
    cpu_ms = (taken[-1].cpu_s - taken[0].cpu_s) / more * 1000
    grown = (taken[-1].memory_bytes - taken[0].memory_bytes) / more
    print(f"a task more costs {cpu_ms:.3f} ms of CPU, and {grown:.0f} bytes of the largest process")


def ask(width: int, rounds: int, folder: Path) -> None:
    """Put questions to a run of so many tasks, and print what each costs, start-up included."""
    questions = {
        "say the version": flowkit_command("version"),
        "list runs": flowkit_command("list", "runs"),
        "list steps": flowkit_command("list", "steps", "Wide/1"),
        "list 1,000 tasks": flowkit_command("list", "tasks", "Wide/1"),
        "list 20 tasks": flowkit_command("list", "tasks", "Wide/1/work", "--limit", 20),
        "show the run": flowkit_command("show", "Wide/1"),
        "show a task": flowkit_command("show", f"Wide/1/work/{width - 1}"),
        "client": [sys.executable, "-c", CLIENT.format(last=width - 1)],
    }
    sides = {name: partial(run_command, words, folder) for name, words in questions.items()}
    print_table(f"a run of {width:,} tasks", alternate(sides, rounds), compared=False)


def compare_stores(runs: int, rounds: int, home: Path) -> None:
    """Run a small flow in an empty store, and in one that holds many runs."""

    def run_in(folder: Path) -> Measured:
        return run_command(
            flowkit_command("run", write_flow("linear.py", "flowkit", folder)),
            folder,
            expected="total is 6",
            environment=QUICK,
        )

    def run_in_new() -> Measured:
        with tempfile.TemporaryDirectory(dir=home) as folder:
            return run_in(Path(folder))

    full = home / "full"
    full.mkdir()
    run_in(full)
    run_child(__file__, "fill", full, runs)
    sides: dict[str, Callable[[], Measured]] = {
        f"after {runs:,} runs": partial(run_in, full),
        "an empty store": run_in_new,
    }
    print_table("four steps in a row", alternate(sides, rounds))


def main() -> None:
    """Compare widths, then questions, then stores."""
    if words := child_words():
        _, folder, runs = words
        measured, _ = measure(
            lambda: fill(Path(folder), "Linear", int(runs), tag="nightly", every=100)
        )
        report(measured)
        return
    parser = new_parser(__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--real", type=int, nargs="*", default=[250, 1000])
    parser.add_argument("--runs", type=int, default=2000)
    options = parser.parse_args()
    print_heading()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        home = Path(name)
        compare_widths("in the driver's process", options.widths, ("--executor", "inline"), home)
        ask(options.widths[-1], options.rounds, home / f"inline {options.widths[-1]}")
        if options.real:
            compare_widths("a process each", options.real, ("--executor", "local"), home)
        compare_stores(options.runs, options.rounds, home)


if __name__ == "__main__":
    main()
