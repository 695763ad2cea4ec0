"""The engine beside Metaflow: a run of four steps, and a foreach of 200 tasks.

Both run the same flow files (`benchmarks/flows/`), in turn, in one go, each as its users start
it. What counts is CPU seconds of the whole process tree: wall time depends on what else the
machine does. Metaflow is installed into an environment of its own.

    python benchmarks/engine.py [--rounds 3] [--width 200] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

FLOWS = Path(__file__).parent / "flows"
METAFLOW = "metaflow==2.19.39"
UNLIMITED = ("--max-num-splits", "1000000")


@dataclass(frozen=True)
class Measured:
    """One run: seconds of CPU in all its processes, and of the clock on the wall."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Case:
    """A flow to run: its file, what its last step prints, and its parameters."""

    title: str
    flow: str
    expected: str
    parameters: tuple[str, ...] = ()


def measure(command: list[str], folder: Path, expected: str) -> Measured:
    """Run a command to its end in a folder, and check that it computed what it should."""
    # Both get a folder for their state, and a name for the user.
    environment = {
        **os.environ,
        "USERNAME": "benchmark",
        "METAFLOW_HOME": str(folder),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        "FLOWKIT_HOME": str(folder / "flowkit"),
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or expected not in done.stdout + done.stderr:
        sys.exit(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(cpu_s, wall_s)


def metaflow_python(environment: Path) -> str:
    """Install Metaflow into an environment unless it is there; return its interpreter."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", METAFLOW], check=True)
    return str(python)


def write_flow(case: Case, framework: str, folder: Path) -> str:
    """Write a case's flow for a framework; return the file."""
    path = folder / f"{Path(case.flow).stem}_{framework}.py"
    path.write_text((FLOWS / case.flow).read_text().replace("FRAMEWORK", framework))
    return str(path)


def compare(case: Case, rounds: int, peer: str) -> None:
    """Run a case with both, in turn, and print the medians and their ratio."""
    results: dict[str, list[Measured]] = {"flowkit": [], "metaflow": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = (write_flow(case, one, folder) for one in results)
        commands = {
            "flowkit": [sys.executable, "-m", "flowkit", "run", ours, *case.parameters],
            "metaflow": [peer, theirs, "--no-pylint", "run", *UNLIMITED, *case.parameters],
        }
        for _ in range(rounds):
            for framework, command in commands.items():
                results[framework].append(measure(command, folder, case.expected))
    print(f"\n{case.title} ({rounds} rounds, alternating)")
    print(f"{'':10}{'CPU s, median':>15}{'lowest':>9}{'highest':>9}{'wall s':>9}")
    medians = {}
    for framework, runs in results.items():
        cpu = [one.cpu_s for one in runs]
        medians[framework] = statistics.median(cpu)
        wall = statistics.median(one.wall_s for one in runs)
        print(f"{framework:10}{medians[framework]:15.3f}{min(cpu):9.3f}{max(cpu):9.3f}{wall:9.2f}")
    print(
        f"flowkit uses 1/{medians['metaflow'] / medians['flowkit']:.1f} of Metaflow's CPU seconds"
    )


def main() -> None:
    """Compare all cases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
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
        environment = options.metaflow_env or Path(name) / "metaflow"
        peer = metaflow_python(environment)
        print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
        print(f"flowkit from {sys.executable} beside {METAFLOW}")
        for case in cases:
            compare(case, options.rounds, peer)


if __name__ == "__main__":
    main()
