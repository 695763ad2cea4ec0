"""Files that tell others which run has begun."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flowkit.errors import UsageError
from flowkit.runner.options import RunOptions
from flowkit.values import RunId


def check_files(options: RunOptions) -> None:
    """Find out before there is a run whether its files can be written. Raises UsageError."""
    for path in (options.run_id_file, options.attribute_file):
        if path:
            _check_writable(Path(path))


def write_files(options: RunOptions, run: RunId, *, home: Path) -> None:
    """Tell of a run that begins. Raises UsageError."""
    if options.run_id_file:
        _write(Path(options.run_id_file), run.id)
    if options.attribute_file:
        told = {"flow_name": run.flow, "run_id": run.id, "metadata": f"local@{home}"}
        _write(Path(options.attribute_file), json.dumps(told))


def _check_writable(path: Path) -> None:
    """Open nothing: whoever waits for the file must not find it empty."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "it is a folder, or not yours to write")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def _unwritable(path: Path, reason: str | None) -> UsageError:
    return UsageError(
        f"the file `{path}` cannot be written: {reason}",
        hint="give a path in a folder that can be written to",
    )
