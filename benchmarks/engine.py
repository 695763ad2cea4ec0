"""The engine beside its peers: a run of four steps, and a foreach of many no-op tasks.

flowkit and Metaflow run the same flow files (`benchmarks/flows/`), in turn, in one go, each as its
users start it; once more with a flow that imports numpy, pandas and pyarrow. luigi, redun, Prefect
and Dagster run the same fan-out, written for them. What counts is CPU seconds of the whole process
tree: wall time depends on what else the machine does. Peers are installed into environments of
their own.

    python benchmarks/engine.py [--rounds 3] [--width 200] [--peers luigi redun prefect dagster]
        [--peer-rounds 1] [--environments FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from _measuring import (
    METAFLOW,
    Measured,
    alternate,
    metaflow_python,
    new_parser,
    peer_python,
    print_heading,
    print_table,
    run_command,
)

FLOWS = Path(__file__).parent / "flows"
UNLIMITED = ("--max-num-splits", "1000000", "--max-workers", "2")
DATA_PACKAGES = ("numpy", "pandas", "pyarrow")
PEERS = {
    "luigi": "luigi==3.8.1",
    "redun": "redun==0.44.1",
    "prefect": "prefect==3.9.1",
    "dagster": "dagster==1.13.29",
}
SIDES = {
    "luigi": {"luigi, forks": ("2",), "luigi, in process": ("1",)},
    "redun": {"redun, processes": ("process",), "redun, threads": ("default",)},
    "prefect": {"Prefect, threads": ()},
    "dagster": {"Dagster, in process": ()},
}
"""How each peer may run the fan-out: the words that its program takes after the width."""


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


def run_flowkit(case: Case, *options: str) -> Measured:
    """Run a case with flowkit, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        file = write_flow(case, "flowkit", Path(name))
        command = [sys.executable, "-m", "flowkit", "run", file, *options, *case.parameters]
        return run_command(command, Path(name), expected=case.expected)


def run_metaflow(case: Case, peer: str) -> Measured:
    """Run a case with Metaflow, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        file = write_flow(case, "metaflow", Path(name))
        command = [peer, file, "--no-pylint", "run", *UNLIMITED, *case.parameters]
        return run_command(command, Path(name), expected=case.expected)


def run_peer(peer: str, python: str, width: int, words: Sequence[str]) -> Measured:
    """Run the fan-out with another peer, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        (Path(name) / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        environment = {
            "DAGSTER_HOME": name,
            "PREFECT_HOME": name,
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
            "DO_NOT_TRACK": "1",
        }
        command = [python, str(FLOWS / f"wide_{peer}.py"), str(width), *words]
        expected = f"total is {sum(range(width))}"
        return run_command(command, Path(name), expected=expected, environment=environment)


def compare_peers(case: Case, width: int, peers: Sequence[str], place: Path, rounds: int) -> None:
    """Run the fan-out with the peers, beside both ways in which flowkit runs tasks."""
    processes: dict[str, Callable[[], Measured]] = {"flowkit": partial(run_flowkit, case)}
    inside: dict[str, Callable[[], Measured]] = {
        "flowkit, inline": partial(run_flowkit, case, "--executor", "inline")
    }
    for peer in peers:
        python = peer_python(place / peer, PEERS[peer])
        for name, words in SIDES[peer].items():
            group = processes if name.endswith(("forks", "processes")) else inside
            group[name] = partial(run_peer, peer, python, width, words)
    for title, sides in (("a process each", processes), ("in one process", inside)):
        results = alternate(sides, rounds)
        print_table(f"{case.title}, {title}", results, per=("1,000 tasks", width / 1000))


def main() -> None:
    """Compare all cases."""
    parser = new_parser(__doc__)
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--peers", nargs="*", choices=[*PEERS], default=["luigi", "redun"])
    parser.add_argument("--peer-rounds", type=int, default=1)
    parser.add_argument("--environments", type=Path, help="keep the peers' environments here")
    options = parser.parse_args()
    width: int = options.width
    total = f"total is {sum(range(width))}"
    wide = ("--width", str(width))
    cases = [
        Case("four steps in a row", "linear.py", "total is 6"),
        Case(f"a foreach of {width:,} tasks and a join", "wide.py", total, wide),
        Case(f"the same with {', '.join(DATA_PACKAGES)}", "wide_heavy.py", total, wide),
    ]
    with tempfile.TemporaryDirectory() as name:
        place: Path = options.environments or Path(name)
        peer = metaflow_python(place / "metaflow", *DATA_PACKAGES)
        print_heading(METAFLOW, *(PEERS[one] for one in options.peers))
        for case in cases:
            sides = {"flowkit": partial(run_flowkit, case)}
            sides["Metaflow"] = partial(run_metaflow, case, peer)
            print_table(case.title, alternate(sides, options.rounds))
        compare_peers(cases[1], width, options.peers, place, options.peer_rounds)


if __name__ == "__main__":
    main()
