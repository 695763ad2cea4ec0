"""Exceptions to failures: what is told of an exception outside the process that raised it."""

from __future__ import annotations

import os
import traceback
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from flowkit.errors import (
    EnvironmentFailed,
    ExecutorError,
    FlowkitBug,
    FlowkitError,
    MetadataError,
    StoreError,
)
from flowkit.masking import hidden
from flowkit.values import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN_CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
WRAPPING = (
    os.path.join(OWN_CODE, "flow", "user_decorators.py"),
    os.path.join(OWN_CODE, "worker", "wrapping.py"),
)
"""What stands between decorators of the author's and the step, in the traceback of its error."""
LONGEST_MESSAGE = 4_000

_NOT_THE_FLOWS_FAULT = (StoreError, MetadataError, ExecutorError, EnvironmentFailed, FlowkitBug)
"""What ends a run with the error's own exit code: nothing that the flow's author could mend."""


def failure_of(error: BaseException) -> Failure:
    """Describe an exception: its text, and the traceback through the user's own code.

    An error of flowkit's own that no line of the user's raised says it all in its message, so it
    has no traceback. What UTF-8 cannot hold is escaped, and secrets are masked.
    """
    told = traceback.TracebackException.from_exception(error, compact=True)
    if isinstance(error, FlowkitError):
        # What lies beneath an error of our own is of no use to whoever reads its message.
        told.__cause__ = told.__context__ = None
        called = (frame for frame in told.stack if frame.filename not in WRAPPING)
        began = dropwhile(lambda frame: not _is_authors(frame), called)
        frames: Iterable[traceback.FrameSummary] = takewhile(_is_users, began)
        told.stack = traceback.StackSummary.from_list([*frames])
    for one in _chain(told):
        own = [frame for frame in one.stack if _is_users(frame)]
        one.stack = traceback.StackSummary.from_list(own)
    last = told.stack[-1] if told.stack else None
    exit_code = 1
    if isinstance(error, FlowkitError):
        message, hint, retryable = error.message, error.hint, error.retryable
        if isinstance(error, _NOT_THE_FLOWS_FAULT):
            exit_code = error.exit_code
    else:
        message, hint, retryable = _message(error), None, True
    is_told = isinstance(error, FlowkitError) and last is None
    return Failure(
        type_name=_writable(type(error).__name__),
        message=_writable(message)[:LONGEST_MESSAGE],
        hint=hidden.text(hint) if hint else hint,
        traceback="" if is_told else _writable("".join(told.format())),
        where=_writable(f"{last.filename}:{last.lineno}") if last else None,
        retryable=retryable,
        exit_code=exit_code,
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the step called sys.exit({error.code!r})"
    try:
        return str(error) or type(error).__name__
    except Exception as broken:  # the user's own __str__ raised
        return f"{type(error).__name__}, whose text could not be made: {type(broken).__name__}"


def _writable(text: str) -> str:
    """Mask secrets, and escape lone surrogates: they stand for bytes of file names, no text."""
    return hidden.text(text.encode("utf-8", "backslashreplace").decode())


def _chain(told: traceback.TracebackException) -> Iterable[traceback.TracebackException]:
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *(one.exceptions or ())]


def _is_users(frame: traceback.FrameSummary) -> bool:
    return not frame.filename.startswith((OWN_CODE, "<frozen"))


def _is_authors(frame: traceback.FrameSummary) -> bool:
    """Say whether a line is the flow's, or of a package that it uses, but not of Python itself."""
    is_standard = frame.filename.startswith(STANDARD_LIBRARY)
    return _is_users(frame) and (not is_standard or "-packages" in frame.filename)
