"""Trying again where others were quicker: how often, how long, and after which errors."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Final

from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from pyiceberg.table import TableProperties

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0


def attempts(properties: Mapping[str, str]) -> Iterator[int]:
    """Yield the numbers of attempts, with growing waits between them, while there is time.

    A table's `commit.retry.num-retries` and `commit.retry.total-timeout-ms` limit them; without
    the former, only time does.
    """
    retries = properties.get(TableProperties.COMMIT_NUM_RETRIES)
    limit_ms = properties.get(
        TableProperties.COMMIT_TOTAL_RETRY_TIME_MS,
        TableProperties.COMMIT_TOTAL_RETRY_TIME_MS_DEFAULT,
    )
    deadline = time.monotonic() + int(limit_ms) / 1000
    number = 0
    while True:
        yield number
        number += 1
        if retries is not None and number > int(retries):
            return
        # Spread out, or those who collided will collide again.
        longest_s = min(_FIRST_WAIT_S * 2.0**number, _LONGEST_WAIT_S)
        wait_s = longest_s * random.uniform(0.2, 1)
        if time.monotonic() + wait_s > deadline:
            return
        time.sleep(wait_s)


def uncertain_errors() -> tuple[type[Exception], ...]:
    """Return the errors after which a change can be tried again: it may have landed, or not."""
    known: tuple[type[Exception], ...] = (
        CommitFailedException,
        CommitStateUnknownException,
        ServerError,
        ServiceUnavailableError,
        TooManyRequestsError,
        OSError,
    )
    # SQL catalogs let errors such as "database is locked" through; others never load SQLAlchemy.
    database = sys.modules.get("sqlalchemy.exc")
    return (*known, database.OperationalError) if database is not None else known
