"""`flowkit doctor`: can flowkit work here, and what to do if it cannot."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowkit.cli.command import command, json_option
from flowkit.cli.invocation import Invocation
from flowkit.cli.machine import print_json
from flowkit.cli.screen import paint, print_lines
from flowkit.cli.text import count_of, human_size
from flowkit.errors import FlowkitError

if TYPE_CHECKING:
    from flowkit.settings import Settings

_LEAST_FREE_BYTES = 1_000_000_000
_LARGEST_SKEW_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `hint` is empty where all is well."""

    name: str
    detail: str
    hint: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to do."""
        return not self.hint


@command("doctor", examples=["doctor", "doctor --json"], exits=[4])
@json_option
@click.pass_obj
def examine(invocation: Invocation, /, *, as_json: bool) -> int:
    """Check that flowkit can work here, and say what to do where it cannot."""
    findings = list(_findings(invocation.read_settings().settings))
    is_fine = all(finding.is_fine for finding in findings)
    if as_json:
        checks = [
            {"name": one.name, "ok": one.is_fine, "detail": one.detail, "hint": one.hint or None}
            for one in findings
        ]
        print_json("doctor", ok=is_fine, checks=checks)
    else:
        for one in findings:
            verdict = paint("ok     ", "green") if one.is_fine else paint("problem", "bold red")
            print_lines([f"{verdict}  {one.name}: {one.detail}"])
            if one.hint:
                print_lines([f"         {paint('hint:', 'bold cyan')} {one.hint}"])
    return 0 if is_fine else 4


def _findings(settings: Settings) -> Iterator[Finding]:
    """Run all checks; one that raises is a finding too."""
    checks: dict[str, Callable[[Settings], Finding]] = {
        "python": _python,
        "native core": _native,
        "home": _writable,
        "disk": _disk,
        "clock": _clock,
        "store": _store,
        "index": _index,
        "processes": _forks,
    }
    for name, check in checks.items():
        try:
            yield check(settings)
        except FlowkitError as error:
            yield Finding(name, error.message, error.hint or "run it again with `--debug`")
        except OSError as error:
            detail = f"{settings.home} cannot be used: {error.strerror}"
            yield Finding(name, detail, "set `home` to a folder that you may write to")


def _python(settings: Settings) -> Finding:
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return Finding("python", f"{name} at {sys.executable}")


def _native(settings: Settings) -> Finding:
    try:
        from flowkit.native import chunk_boundaries

        ends = chunk_boundaries(bytes(1000), min_size=64, average_size=128, max_size=256)
    except ImportError as error:
        hint = "install flowkit again: `pip install --force-reinstall flowkit`"
        return Finding("native core", f"cannot be loaded: {error}", hint)
    if list(ends) != [256, 512, 768, 1000]:
        return Finding("native core", "computes nonsense", "install flowkit again")
    return Finding("native core", "loads and works")


def _writable(settings: Settings) -> Finding:
    folder = _existing(settings.home)
    with tempfile.TemporaryFile(dir=folder):
        there = "is there" if folder == settings.home else "will be made by the first run"
        return Finding("home", f"{settings.home} {there} and can be written")


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.home)).free
    if free < _LEAST_FREE_BYTES:
        return Finding("disk", f"{human_size(free)} free", "make room, or set another `home`")
    return Finding("disk", f"{human_size(free)} free")


def _clock(settings: Settings) -> Finding:
    """Compare the machine's clock with the one that stamps files, which may be a server's."""
    with tempfile.NamedTemporaryFile(dir=_existing(settings.home)) as file:
        skew_s = abs(os.stat(file.name).st_mtime - time.time())
    if skew_s > _LARGEST_SKEW_S:
        detail = f"the file system's clock differs by {skew_s:.0f} s"
        return Finding("clock", detail, "synchronize the clocks: old files are told by their age")
    return Finding("clock", "agrees with the file system's")


def _store(settings: Settings) -> Finding:
    if not _is_made(settings.store):
        return Finding("store", f"{settings.store} will be made by the first run")
    return Finding("store", f"{settings.store} opens, {count_of(_stored_runs(settings), 'run')}")


def _index(settings: Settings) -> Finding:
    if not _is_made(settings.metadata):
        return Finding("index", f"{settings.metadata} will be made by the first run")
    from flowkit.metadata import Metadata

    metadata = Metadata.open(settings.metadata)
    try:
        # Opening reads only the first page.
        metadata.check()
        runs = sum(row.runs for row in metadata.flows())
    finally:
        metadata.close()
    found = f"{settings.metadata} is sound, {count_of(runs, 'run')}"
    stored = _stored_runs(settings) if _is_made(settings.store) else 0
    if stored != runs:
        return Finding(
            "index", f"{found}, but the store has {stored:,}", "run `flowkit store reindex`"
        )
    return Finding("index", found)


def _stored_runs(settings: Settings) -> int:
    from flowkit.store import Store

    return sum(1 for _ in Store.open(settings.store).run_ids())


def _forks(settings: Settings) -> Finding:
    """Fork a child that exits at once, as every task does."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(7)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 7:
        hint = "run flows with `--executor process`"
        return Finding("processes", "a forked process did not end as it should", hint)
    return Finding("processes", "can be forked")


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    while not path.is_dir():
        path = path.parent
    return path


def _is_made(place: str) -> bool:
    return "://" in place or Path(place).exists()
