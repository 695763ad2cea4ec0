"""What the benchmarks share: each side in a process of its own, what it took, and tables of that.

`run_command` measures a program as users start it, with all processes that it starts. `run_child`
runs a benchmark's own file once more, as `FILE --child WORDS`; there, `measure` takes the part
that counts, without imports and preparation, and `report` hands the figures back. `alternate` has
all sides do it in turn, and `print_table` prints medians and ratios.

A process counts as large as the one that started it until it has grown beyond that, so programs
that measure keep small: what needs memory is done in a child.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

METAFLOW = "metaflow==2.19.39"
_CHILD = "--child"

Answer = TypeVar("Answer")
Results = Mapping[str, Sequence["Measured"]]


@dataclass(frozen=True)
class Measured:
    """What a piece of work took: seconds of CPU and of the clock on the wall, memory, and facts.

    `memory_bytes`: the size of a command's largest process, or what a part of one grew by.
    `facts` are what else the work says about itself: rows that it read, bytes that it wrote.
    """

    cpu_s: float
    wall_s: float
    memory_bytes: float
    facts: dict[str, float] = field(default_factory=dict)


def run_command(
    command: Sequence[str],
    folder: Path,
    *,
    expected: str = "",
    code: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Run a command to its end in a folder; leave the benchmark unless it does what it should.

    That is to print what is `expected`, and to end with `code`. flowkit and Metaflow keep their
    state in the folder.
    """
    variables = {
        **os.environ,
        "USERNAME": "benchmark",
        "METAFLOW_HOME": str(folder),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        "FLOWKIT_HOME": str(folder / "flowkit"),
        **(environment or {}),
    }
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode != code or expected not in printed:
        sys.exit(f"{list(command)} failed:\n{printed}")
    return Measured(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss * 1024)


def run_child(
    program: str | Path,
    *words: object,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    marked: bool = True,
) -> Measured:
    """Run a benchmark's file in a process of its own, and return what that reported.

    `marked`: let `child_words` of that file know.
    """
    done = subprocess.run(
        [python, str(program), *([_CHILD] if marked else []), *map(str, words)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{Path(program).name} {words} failed:\n{done.stdout}\n{done.stderr}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def child_words() -> list[str] | None:
    """Return the words of `run_child` if this process was started by it."""
    return sys.argv[2:] if sys.argv[1:2] == [_CHILD] else None


def measure(work: Callable[[], Answer]) -> tuple[Measured, Answer]:
    """Do some work in this process and its children; return what it took, and what it returned."""
    start_bytes = _reset_peak()
    cpu_s, began = _cpu_s(), time.perf_counter()
    answer = work()
    wall_s = time.perf_counter() - began
    return Measured(_cpu_s() - cpu_s, wall_s, _peak_bytes() - start_bytes), answer


def report(measured: Measured, **facts: float) -> None:
    """Hand figures, and facts, to the process that called `run_child`."""
    print(json.dumps(asdict(replace(measured, facts=facts))), flush=True)


def alternate(
    sides: Mapping[str, Callable[[], Measured]], rounds: int
) -> dict[str, list[Measured]]:
    """Let all sides do their work in turn, so many times."""
    results: dict[str, list[Measured]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            results[name].append(side())
    return results


def print_table(
    title: str,
    results: Results,
    *,
    per: tuple[str, float] = ("", 1.0),
    columns: Mapping[str, Callable[[Measured], float]] | None = None,
    compared: bool = True,
) -> None:
    """Print a row a side, then how the first one compares with each other.

    `per`: a unit that CPU seconds are told for, and how many of it were done. `columns`: more
    of them, by their headings. `compared`: the sides do the same work.
    """
    unit, number = per
    heading = f"CPU s / {unit}" if unit else "CPU s, median"
    first = max(10, *map(len, results)) + 1
    print(f"\n{title} ({len(next(iter(results.values())))} rounds, alternating)")
    print(
        f"{'':{first}}{heading:>18}{'lowest':>9}{'highest':>9}{'wall s':>9}{'memory, MB':>12}",
        end="",
    )
    print("".join(f"{name:>{len(name) + 3}}" for name in columns or ()))
    medians = {}
    for side, runs in results.items():
        cpu = [one.cpu_s / number for one in runs]
        medians[side] = statistics.median(cpu)
        wall_s = statistics.median(one.wall_s for one in runs)
        memory = statistics.median(one.memory_bytes for one in runs) / 1e6
        print(f"{side:{first}}{medians[side]:18.4f}{min(cpu):9.4f}{max(cpu):9.4f}", end="")
        print(f"{wall_s:9.2f}{memory:12.1f}", end="")
        more = {name: statistics.median(map(of, runs)) for name, of in (columns or {}).items()}
        print("".join(f"{value:{len(name) + 3},.6g}" for name, value in more.items()))
    ours, *theirs = medians
    for name in theirs if compared else ():
        print(f"{ours} uses {ratio(medians[ours], medians[name])} of {name}'s CPU seconds")


def ratio(ours: float, theirs: float) -> str:
    """Say how one figure compares with another: `1/3.2`, or `1.40`."""
    return f"1/{theirs / ours:.1f}" if 0 < ours < theirs / 1.5 else f"{ours / theirs:.2f}"


def print_heading(*beside: str) -> None:
    """Print what runs the benchmark, how busy it is, and what flowkit is compared with."""
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores", end=""
    )
    print(f", load average {os.getloadavg()[0]:.1f}")
    if beside:
        print(f"flowkit from {sys.executable} beside {', '.join(beside)}")


def new_parser(description: str | None, *, rounds: int = 3) -> argparse.ArgumentParser:
    """Return a parser of a program's options, which has `--rounds`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser


def metaflow_python(environment: Path, *packages: str) -> str:
    """Install Metaflow, and what goes with it, into an environment; return its interpreter."""
    return peer_python(environment, METAFLOW, *packages)


def peer_python(environment: Path, *packages: str) -> str:
    """Install packages into an environment, unless they are there; return its interpreter."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def _cpu_s() -> float:
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _reset_peak() -> int:
    """Forget how large this process has been, where the system can; return its size now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return _status_bytes("VmRSS")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peak_bytes() -> int:
    with suppress(OSError):
        return _status_bytes("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status_bytes(name: str) -> int:
    """Return a size that Linux tells of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise OSError(f"there is no `{name}`")
