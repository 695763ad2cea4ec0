"""What `@secrets` does for a task: variables while it runs, and none of them in what it leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flowkit.errors import StepRaised
from flowkit.flow import INLINE
from flowkit.graph import Secrets
from flowkit.masking import hidden
from flowkit.worker.guards import variables

_SHORT = 64
"""Bytes below which data may be a short secret and nothing else."""


def hide_inline(asked: Iterable[Secrets]) -> None:
    """Mask values that stand in a flow's code: tracebacks and cards show lines of it."""
    for source in (one for some in asked for one in some.sources if one.type == INLINE):
        hidden.hide(json.loads(dict(source.options)["env_vars"]).values())


@contextmanager
def step_secrets(step: str, asked: Secrets | None) -> Iterator[None]:
    """Fetch what a step asks for, and set it as environment variables inside the block.

    Raises:
        SecretsUnavailable: it cannot be fetched.
        SecretsRejected: a variable is set already, or two sources give it.
    """
    if asked is None:
        yield
        return
    from flowkit.secrecy import SecretsRejected, fetch_secrets

    found = fetch_secrets(asked.sources)
    taken = sorted(found.keys() & os.environ.keys())
    if taken and not asked.allow_override:
        raise SecretsRejected(
            f"`@secrets` of step `{step}` gives `{taken[0]}`, an environment variable that is set "
            "already",
            hint=f"unset `{taken[0]}`, or write `allow_override=True`",
        )
    with variables(tuple(found.items())):
        yield


def refuse_secrets(name: str, data: memoryview) -> None:
    """Look at the bytes of an artifact before they are stored.

    Raises:
        StepRaised: there is a secret in them.
    """
    if hidden.is_in(data) or (data.nbytes < _SHORT and hidden.is_all_of(bytes(data))):
        raise StepRaised(
            f"artifact `{name}` holds a secret, which would be stored for all to read",
            hint=f"keep it in a variable of the step's own, or `del self.{name}` before the end; "
            "what is no secret does not belong into a source of secrets",
        )
