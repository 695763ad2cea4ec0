"""The engine beside Metaflow: a run of four steps, and a foreach of 200 tasks.

Both run the same flow files (`benchmarks/flows/`), in turn, in one go, each as its users start
it. What counts is CPU seconds of the whole process tree: wall time depends on what else the
machine does. Metaflow is installed into an environment of its own.

    python benchmarks/engine.py [--rounds 3] [--width 200] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _measuring import (
    METAFLOW,
    alternate,
    metaflow_python,
    new_parser,
    print_heading,
    print_table,
    run_command,
)

FLOWS = Path(__file__).parent / "flows"
UNLIMITED = ("--max-num-splits", "1000000")


@dataclass(frozen=True)
class Case:
    """A flow to run: its file, what its last step prints, and its parameters."""

    title: str
    flow: str
    expected: str
    parameters: tuple[str, ...] = ()


def write_flow(case: Case, framework: str, folder: Path) -> str:
    """Write a case's flow for a framework; return the file."""
    path = folder / f"{Path(case.flow).stem}_{framework}.py"
    path.write_text((FLOWS / case.flow).read_text().replace("FRAMEWORK", framework))
    return str(path)


def compare(case: Case, rounds: int, peer: str) -> None:
    """Run a case with both, in turn, and print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = (write_flow(case, one, folder) for one in ("flowkit", "metaflow"))
        by_flowkit = [sys.executable, "-m", "flowkit", "run", ours, *case.parameters]
        by_metaflow = [peer, theirs, "--no-pylint", "run", *UNLIMITED, *case.parameters]
        results = alternate(
            {
                "flowkit": lambda: run_command(by_flowkit, folder, expected=case.expected),
                "Metaflow": lambda: run_command(by_metaflow, folder, expected=case.expected),
            },
            rounds,
        )
    print_table(case.title, results)


def main() -> None:
    """Compare all cases."""
    parser = new_parser(__doc__)
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    cases = [
        Case("four steps in a row", "linear.py", "total is 6"),
        Case(
            f"a foreach of {options.width} tasks and a join",
            "wide.py",
            f"total is {sum(range(options.width))}",
            ("--width", str(options.width)),
        ),
    ]
    with tempfile.TemporaryDirectory() as name:
        peer = metaflow_python(options.metaflow_env or Path(name) / "metaflow")
        print_heading(METAFLOW)
        for case in cases:
            compare(case, options.rounds, peer)


if __name__ == "__main__":
    main()
