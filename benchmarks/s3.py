"""flowkit's S3 beside obstore, boto3 and Metaflow's S3, against a real server on this machine.

Every client reads and writes the same objects, in turn, in one go, each in a process of its own.
What counts is CPU seconds of the client and its children, without imports: wall time depends on
what else the machine does, and here on the server, which shares it. Metaflow is installed into an
environment of its own.

    python benchmarks/s3.py [--rounds 5] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from _measuring import (
    METAFLOW,
    Measured,
    alternate,
    metaflow_python,
    new_parser,
    print_heading,
    print_table,
    run_child,
)

from flowkit.testing import S3Server, open_s3_server

PROGRAM = Path(__file__).parent / "clients" / "s3.py"
BUCKET = "benchmark"
CLIENTS = ("flowkit", "obstore", "obstore-async", "boto3", "metaflow")
MIB = 1 << 20


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


def measure(case: Case, client: str, python: str, folder: Path) -> Measured:
    """Run a client once."""
    words = (client, case.name, BUCKET, case.number, case.size_bytes)
    environment = {"METAFLOW_HOME": str(folder), "USERNAME": "benchmark"}
    return run_child(PROGRAM, *words, python=python, environment=environment, marked=False)


def compare(case: Case, rounds: int, pythons: dict[str, str], folder: Path) -> None:
    """Run a case with every client, in turn, and print medians and ratios."""
    # What is read is written first. Not by this process: its children would begin at its size.
    measure(replace(case, name="put"), "flowkit", pythons["flowkit"], folder)
    sides = {
        client: partial(measure, case, client, python, folder) for client, python in pythons.items()
    }
    print_table(case.title, alternate(sides, rounds), per=case.per)


def run(server: S3Server, options: argparse.Namespace, folder: Path) -> None:
    """Compare all cases at a server."""
    os.environ.update(server.environment)
    pythons = {"flowkit": sys.executable} | dict.fromkeys(options.clients, sys.executable)
    if "metaflow" in pythons:
        pythons["metaflow"] = metaflow_python(options.metaflow_env or folder / "metaflow", "boto3")
    print_heading(*(f"{name} {version(name)}" for name in ("obstore", "boto3")), METAFLOW)
    for case in CASES:
        compare(case, options.rounds, pythons, folder)


def main() -> None:
    """Start a server, and compare."""
    parser = new_parser(__doc__, rounds=5)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=CLIENTS)
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, open_s3_server(BUCKET) as server:
        run(server, options, Path(name))


if __name__ == "__main__":
    main()
