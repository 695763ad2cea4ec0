"""The client of a bucket: endpoint, credentials, patience.

Its calls block, and are made from threads. It has awaitable ones as well, which use a little less
CPU, but a process that used them aborts now and then as it ends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flowkit.errors import UsageError
from flowkit.s3.credentials import aws_variables, find_options
from flowkit.s3.errors import S3Error, S3InvalidUrl

if TYPE_CHECKING:
    from obstore.store import S3Store

    from flowkit.settings import Settings

_CONNECT_WITHIN = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(seconds=10)
_NEVER = timedelta(days=365)
_TIMEOUTS_OF_AN_UPLOAD = 20
"""The client's clock for the next byte of an answer runs while a request is sent, however long
that takes on a slow line. So requests that carry data have so many times that time as a whole."""

_used_in: int | None = None
"""The process that first used the client, whose threads a forked child does not have."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a byte, and how often to ask again."""

    timeout_s: float
    retries: int


class Connection:
    """Opens the clients of buckets; those of equal settings are shared in a process."""

    def __init__(self, settings: Settings, encryption: str | None = None) -> None:
        self._settings, self._encryption = settings, encryption
        self._stores: dict[tuple[str, bool], S3Store] = {}
        self.patience = Patience(settings.s3_timeout_s, settings.s3_retries)

    def store(self, bucket: str, *, uploads: bool = False) -> S3Store:
        """Return the client of a bucket, for requests that carry data or for others.

        Nothing is asked of the server.

        Raises:
            S3InvalidUrl: the endpoint is no URL.
            S3AccessDenied: the profile that AWS_PROFILE names cannot be used.
            S3Error: this process was forked from one that had used the client.
        """
        _check_process()
        known = self._stores.get((bucket, uploads))
        if known is not None:
            return known
        options = dict(find_options(self._settings.s3_endpoint))
        if self._encryption:
            options["server_side_encryption"] = self._encryption
        _check_endpoint(options.get("endpoint"))
        given = (bucket, tuple(sorted(options.items())), self.patience, uploads)
        store = _open(*given, aws_variables())
        self._stores[bucket, uploads] = store
        return store


def is_unsafe_to_fork() -> bool:
    """Say whether this process has used the client, so that its forked children cannot."""
    return _used_in == os.getpid()


def _check_process() -> None:
    global _used_in
    process = os.getpid()
    if _used_in is None:
        _used_in = process
    elif _used_in != process:
        # A call would wait for ever for threads that are not there.
        raise S3Error(
            "this process was forked from one that had used S3, which does not survive a fork",
            hint="start processes with `spawn`, or use S3 only in the forked ones",
        )


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is None:
        return
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or any(character.isspace() for character in endpoint):
        raise S3InvalidUrl(
            f"the S3 endpoint `{endpoint}` is no URL",
            hint="write `https://host:port` in the setting `s3_endpoint` or AWS_ENDPOINT_URL",
        )


@lru_cache(maxsize=64)
def _open(
    bucket: str,
    options: tuple[tuple[str, str], ...],
    patience: Patience,
    uploads: bool,
    environment: tuple[tuple[str, str], ...],
) -> S3Store:
    """Open a client; in another `environment`, which it reads itself, it is another one."""
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    given: Mapping[str, Any] = dict(options)
    timeout = timedelta(seconds=patience.timeout_s)
    longest = timeout * _TIMEOUTS_OF_AN_UPLOAD if uploads else _NEVER
    try:
        return S3Store(
            bucket,
            client_options={
                "allow_http": True,
                "connect_timeout": _CONNECT_WITHIN,
                # This clock starts anew with every byte: a large object may take its time.
                "read_timeout": longest if uploads else timeout,
                "timeout": longest,
            },
            retry_config={
                "max_retries": patience.retries,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": _LONGEST_PAUSE,
                    "base": 2,
                },
            },
            **given,
        )
    except (BaseError, TypeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UsageError(
            f"the S3 client takes no such options: {first}", hint="check the variables AWS_*"
        ) from error
