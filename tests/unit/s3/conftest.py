"""A real S3 server for all tests, a bucket for each, and a bad network before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from flowkit import S3
from flowkit.testing import (
    FaultyProxy,
    S3Server,
    environment_for,
    open_faulty_proxy,
    open_s3_server,
)

NUMBERS = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with open_s3_server() as server:
        yield server


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new bucket, with the environment in which clients find it."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{next(NUMBERS)}"
    server.create_bucket(name)
    return name


@pytest.fixture
def s3(bucket: str) -> Iterator[S3]:
    """A scope whose root is `base` in the bucket."""
    with S3(s3root=f"s3://{bucket}/base") as scope:
        yield scope


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultyProxy]:
    with open_faulty_proxy(server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def open_shaky(
    bucket: str, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., S3]]:
    """Opens scopes behind the proxy, which wait for half a second and ask again a few times."""
    for name, value in environment_for(proxy.endpoint).items():
        monkeypatch.setenv(name, value)
    scopes: list[S3] = []

    def open_one(retries: int = 4, timeout_s: float = 0.5, **options: Any) -> S3:
        monkeypatch.setenv("FLOWKIT_S3_TIMEOUT_S", str(timeout_s))
        monkeypatch.setenv("FLOWKIT_S3_RETRIES", str(retries))
        scopes.append(S3(s3root=f"s3://{bucket}/base", **options))
        return scopes[-1]

    yield open_one
    for scope in scopes:
        scope.close()
