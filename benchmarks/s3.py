"""flowkit's S3 beside obstore, boto3 and Metaflow's S3, against a real server on this machine.

Every client reads and writes the same objects, in turn, in one go, each in a process of its own.
What counts is CPU seconds of the client and its children, without imports: wall time depends on
what else the machine does, and here on the server, which shares it. Metaflow is installed into an
environment of its own.

    python benchmarks/s3.py [--rounds 5] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from flowkit.testing import S3Server, open_s3_server

PROGRAM = Path(__file__).parent / "clients" / "s3.py"
METAFLOW = ("metaflow==2.19.39", "boto3")
BUCKET = "benchmark"
CLIENTS = ("flowkit", "obstore", "obstore-async", "boto3", "metaflow")
MIB = 1 << 20


@dataclass(frozen=True)
class Measured:
    """One run of a client: what the work took, and the largest process."""

    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclass(frozen=True)
class Case:
    """What a client does with so many objects of a size."""

    title: str
    name: str
    number: int
    size_bytes: int

    @property
    def per(self) -> tuple[str, float]:
        """The unit that CPU seconds are told for, and how many there are of it."""
        if self.size_bytes < MIB:
            return "1,000 objects", self.number / 1000
        return "GB", self.number * self.size_bytes / 1e9


CASES = (
    Case("read 64 objects of 8 MiB into memory", "get", 64, 8 * MIB),
    Case("read them as `bytes`", "get-blob", 64, 8 * MIB),
    Case("read one object of 512 MiB into memory", "get", 1, 512 * MIB),
    Case("read 2,000 objects of 10 kB into memory", "get", 2000, 10_000),
    Case("write 32 objects of 8 MiB", "put", 32, 8 * MIB),
)


def metaflow_python(environment: Path) -> str:
    """Install Metaflow into an environment unless it is there; return its interpreter."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *METAFLOW], check=True)
    return str(python)


def measure(case: Case, client: str, python: str, folder: Path) -> Measured:
    """Run a client once."""
    arguments = [client, case.name, BUCKET, str(case.number), str(case.size_bytes)]
    environment = {**os.environ, "METAFLOW_HOME": str(folder), "USERNAME": "benchmark"}
    done = subprocess.run(
        [python, str(PROGRAM), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{client} failed:\n{done.stdout}\n{done.stderr}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def compare(case: Case, rounds: int, pythons: dict[str, str], folder: Path) -> None:
    """Run a case with every client, in turn, and print medians and ratios."""
    # What is read is written first. Not by this process: its children would begin at its size.
    measure(replace(case, name="put"), "flowkit", pythons["flowkit"], folder)
    results: dict[str, list[Measured]] = {client: [] for client in pythons}
    for _ in range(rounds):
        for client, python in pythons.items():
            results[client].append(measure(case, client, python, folder))
    unit, number = case.per
    print(f"\n{case.title} ({rounds} rounds, alternating)")
    print(f"{'':15}{'CPU s / ' + unit:>23}{'lowest':>9}{'highest':>9}{'wall s':>9}{'peak MB':>9}")
    medians = {}
    for client, runs in results.items():
        cpu = [one.cpu_s / number for one in runs]
        medians[client] = statistics.median(cpu)
        wall = statistics.median(one.wall_s for one in runs)
        peak = statistics.median(one.peak_mb for one in runs)
        print(
            f"{client:15}{medians[client]:23.3f}{min(cpu):9.3f}{max(cpu):9.3f}"
            f"{wall:9.2f}{peak:9.0f}"
        )
    ours = medians.pop("flowkit")
    print("flowkit to " + ", ".join(f"{name}: {ours / one:.2f}" for name, one in medians.items()))


def run(server: S3Server, options: argparse.Namespace, folder: Path) -> None:
    """Compare all cases at a server."""
    os.environ.update(server.environment)
    pythons = {"flowkit": sys.executable} | dict.fromkeys(options.clients, sys.executable)
    if "metaflow" in pythons:
        pythons["metaflow"] = metaflow_python(options.metaflow_env or folder / "metaflow")
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    versions = ", ".join(f"{name} {version(name)}" for name in ("obstore", "boto3"))
    print(f"flowkit from {sys.executable} beside {versions}, {METAFLOW[0]}")
    for case in CASES:
        compare(case, options.rounds, pythons, folder)


def main() -> None:
    """Start a server, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, open_s3_server(BUCKET) as server:
        run(server, options, Path(name))


if __name__ == "__main__":
    main()
