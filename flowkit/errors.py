"""The errors flowkit raises on purpose, sorted by who must act.

`FlowInvalid`: the flow's author. `UsageError`: the caller. `StepRaised`: the user's code.
`StoreError`, `MetadataError`, `ExecutorError`, `EnvironmentFailed`, `OutputFailed`: the operator.
`FlowkitBug`: us. Exit codes: 0 done, 1 run failed, 2 usage, 3 flow invalid,
4 infrastructure, 5 bug, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class FlowkitError(Exception):
    """Base of every error flowkit raises on purpose. `hint` says what to do next."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FlowInvalid(FlowkitError):
    """The flow cannot run as it is written; its author must change it."""

    exit_code = 3


class UsageError(FlowkitError):
    """The caller asked for something that cannot be: a wrong option, value or name."""

    exit_code = 2


class NotFound(UsageError):
    """What was named does not exist: a run, step, task, artifact or flow file."""


class StepRaised(FlowkitError):
    """The user's code in a step raised, or the process that ran it died."""


class RunFailed(FlowkitError):
    """A run ended without success."""


class StoreError(FlowkitError):
    """The store cannot do what was asked: unreadable, full, read-only or altered."""

    exit_code = 4


class KeyMissing(StoreError):
    """Nothing is stored under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"nothing is stored under `{key}`",
            hint="run `flowkit store verify` to see what else is missing",
        )
        self.key = key


class VersionMoved(StoreError):
    """Somebody else changed the value since it was read."""

    retryable = True

    def __init__(self, key: str) -> None:
        super().__init__(f"`{key}` was changed by somebody else", hint="read it again and retry")
        self.key = key


class Corrupt(StoreError):
    """Stored bytes are not what was written: torn, truncated or altered."""

    def __init__(self, key: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(
            f"`{key}` is damaged: {reason}",
            hint=hint
            or "run `flowkit store verify` to list all damage; "
            "resume the run that made it to compute it again",
        )
        self.key = key
        self.reason = reason


class StoreTooNew(StoreError):
    """The store was written by a newer flowkit, in a format this one cannot read."""

    def __init__(self, *, found: int, known: int) -> None:
        super().__init__(
            f"the store has format {found}, and this flowkit reads up to {known}",
            hint="upgrade flowkit: `pip install --upgrade flowkit`",
        )


class MetadataError(FlowkitError):
    """The metadata index cannot be used."""

    exit_code = 4


class ExecutorError(FlowkitError):
    """An attempt could not be started, or the process that starts them is gone."""

    exit_code = 4


class OutputFailed(FlowkitError):
    """What a command prints cannot be written."""

    exit_code = 4


class EnvironmentFailed(FlowkitError):
    """An environment could not be locked or realised."""

    exit_code = 4


class SecretsUnavailable(EnvironmentFailed):
    """Secrets could not be fetched. Providers raise it with a message that tells no value."""

    retryable = True


class PluginBroken(FlowkitError):
    """A plugin that was named could not be loaded."""

    exit_code = 4

    def __init__(self, *, name: str, cause: str, known: Sequence[str]) -> None:
        super().__init__(
            f"plugin `{name}` could not be loaded: {cause}",
            hint=f"built in are: {', '.join(f'`{one}`' for one in known)}"
            if known
            else "upgrade or remove the package that provides it",
        )


class FlowkitBug(FlowkitError):
    """Something that cannot happen did: a fault in flowkit itself."""

    exit_code = 5

    def __init__(self, message: str) -> None:
        super().__init__(
            f"this is a bug in flowkit: {message}",
            hint="please report it with the run id and this message",
        )


class StepTimedOut(StepRaised):
    """A step took longer than its `@timeout` allows; raised inside the step."""

    retryable = True

    def __init__(self, *, step: str, limit_s: float) -> None:
        super().__init__(
            f"step `{step}` took longer than its limit of {limit_s:g} s",
            hint="raise the limit in `@timeout`, or let the step do less",
        )


MetaflowException = FlowkitError
MetaflowInternalError = FlowkitBug
TimeoutException = StepTimedOut
"""The names that Metaflow gives them."""
