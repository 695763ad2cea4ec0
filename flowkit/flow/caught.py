"""What `@catch(var=...)` leaves in its artifact: a failure that can be read anywhere."""

from __future__ import annotations

from flowkit.values import Failure


class CaughtFailure(Exception):
    """An exception that `@catch` swallowed, kept as text: it loads where its type is unknown.

    `type` is the name of the exception's type, `exception` what it said, `stacktrace` where it
    came from. As a truth value it is True, so `if self.failed:` asks whether the step failed.
    """

    def __init__(self, type_name: str, message: str, stacktrace: str = "") -> None:
        super().__init__(type_name, message, stacktrace)
        self.type = type_name
        self.exception = message
        self.stacktrace = stacktrace

    @classmethod
    def of(cls, failure: Failure) -> CaughtFailure:
        """Keep a failure."""
        return cls(failure.type_name, failure.message, failure.traceback)

    def __str__(self) -> str:
        return f"{self.type}: {self.exception}"


MetaflowExceptionWrapper = FailureHandledByCatch = CaughtFailure
"""The name that Metaflow gives it."""
