"""The files that configs and parameters name: on this machine, or at S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from errno import ENOENT

from flowkit import wire
from flowkit.errors import ExecutorError, FlowkitError, UsageError
from flowkit.values import Failure


def file_reader(flow_file: str) -> Callable[[str], bytes]:
    """Make what reads files for a flow: relative paths are the caller's, or else the flow file's.

    What is returned raises OSError, or FlowkitError for what S3 refuses.
    """

    def read(path: str) -> bytes:
        if path.startswith("s3://"):
            return _fetched(path)
        path = os.path.expanduser(path)
        beside = os.path.join(os.path.dirname(flow_file), path)
        try:
            with open(path if os.path.exists(path) else beside, "rb") as file:
                return file.read()
        except ValueError as error:
            raise FileNotFoundError(ENOENT, "no file can have such a name", path) from error

    return read


def print_line(*values: object, **_: object) -> None:
    """Print a line for people: stdout is for a command's data."""
    print(*values, file=sys.stderr, flush=True)


def fetch(url: str) -> int:
    """Write an object of S3 to stdout, or why not to stderr. Returns an exit code."""
    from flowkit.s3 import S3, S3NotFound

    try:
        with S3() as s3:
            sys.stdout.buffer.write(s3.get(url).blob or b"")
    except FlowkitError as error:
        failure = Failure(
            type_name="FileNotFoundError" if isinstance(error, S3NotFound) else "S3Error",
            message=error.message,
            hint=error.hint,
            exit_code=error.exit_code,
        )
        sys.stderr.buffer.write(wire.encode(failure))
        return error.exit_code
    return 0


def _fetched(url: str) -> bytes:
    """Read an object in a process of its own: the threads that S3 needs would survive no fork."""
    entry = os.path.join(os.path.dirname(__file__), "__main__.py")
    command = [sys.executable, "-P", entry, "fetch", url]
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return done.stdout
    failure = wire.decode(Failure, done.stderr, name=f"answer about {url}")
    if failure.type_name == "FileNotFoundError":
        raise FileNotFoundError(2, "there is no such object", url)
    kind = UsageError if failure.exit_code == UsageError.exit_code else ExecutorError
    raise kind(failure.message, hint=failure.hint)
