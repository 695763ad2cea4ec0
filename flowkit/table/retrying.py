"""Trying again where others were quicker: how often, how long, and after which errors."""

from __future__ import annotations

import errno
import logging
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

from flowkit.table.errors import CommitFailed
from flowkit.table.properties import number_property

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0
_TOLD_AFTER_S: Final = 5.0
_FINAL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})

_log = logging.getLogger(__name__)


class Attempts:
    """The attempts at one commit, with growing waits between them, while there is time.

    A table's `commit.retry.num-retries` and `commit.retry.total-timeout-ms` limit them; without
    the former, only time does. That it takes long is said once, by a warning.

        attempts = Attempts(name, properties)
        for _ in attempts:
            try:
                return commit()
            except uncertain_errors() as error:
                attempts.failed(error)
        raise attempts.given_up()
    """

    def __init__(self, table: str, properties: Mapping[str, str]) -> None:
        self.failure: Exception | None = None
        self._table = table
        self._retries: int | None = None
        if TableProperties.COMMIT_NUM_RETRIES in properties:
            self._retries = number_property(
                properties,
                TableProperties.COMMIT_NUM_RETRIES,
                TableProperties.COMMIT_NUM_RETRIES_DEFAULT,
            )
        limit_ms = number_property(
            properties,
            TableProperties.COMMIT_TOTAL_RETRY_TIME_MS,
            TableProperties.COMMIT_TOTAL_RETRY_TIME_MS_DEFAULT,
        )
        self._deadline = time.monotonic() + limit_ms / 1000
        self._tell_at = time.monotonic() + _TOLD_AFTER_S

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1
            if self._retries is not None and number > self._retries:
                return
            # Spread out, or those who collided will collide again.
            longest_s = min(_FIRST_WAIT_S * 2.0**number, _LONGEST_WAIT_S)
            wait_s = longest_s * random.uniform(0.2, 1)
            if time.monotonic() + wait_s > self._deadline:
                return
            time.sleep(wait_s)

    def failed(self, error: Exception) -> None:
        """Note that an attempt failed.

        Raises:
            CommitFailed: another one would be of no use: the disk is full, or read-only.
        """
        self.failure = error
        if isinstance(error, OSError) and error.errno in _FINAL:
            raise self.given_up() from error
        if time.monotonic() > self._tell_at:
            reason = " ".join(str(error).split())[:300]
            _log.warning("a commit to table `%s` is still being tried: %s", self._table, reason)
            self._tell_at = float("inf")

    def given_up(self) -> CommitFailed:
        """Return the error to raise, after the last attempt."""
        made = CommitFailed(self._table, str(self.failure))
        made.__cause__ = self.failure
        return made


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
