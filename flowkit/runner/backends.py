"""Which of the backends that a flow asks for there are."""

from __future__ import annotations

from collections.abc import Iterator

from flowkit.errors import UsageError
from flowkit.graph import FlowDescription


class BackendMissing(UsageError):
    """A flow asks for a place to run, or for an environment, that this flowkit cannot give."""


def refuse_backends(description: FlowDescription) -> None:
    """Refuse a flow that asks for what cannot be given: no step runs elsewhere without a word.

    Raises:
        BackendMissing: there is such a decorator.
    """
    for missing in missing_backends(description):
        raise missing


def missing_backends(description: FlowDescription) -> Iterator[BackendMissing]:
    """Yield what to say of each decorator that asks for what cannot be given."""
    for node in description.nodes:
        for backend in node.policies.backends:
            yield BackendMissing(
                f"{node.place}: step `{node.name}` asks for `@{backend.name}`, "
                "which this version of flowkit can read but not run",
                hint=f"take `@{backend.name}` away from the step, and install what it needs "
                "where the flow runs",
            )
    for backend in description.policies.backends:
        yield BackendMissing(
            f"flow `{description.name}` asks for `@{backend.name}`, "
            "which this version of flowkit can read but not run",
            hint=f"take `@{backend.name}` away, and install what it needs where the flow runs",
        )
