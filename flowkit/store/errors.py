"""Errors of the store that only it raises."""

from __future__ import annotations

from flowkit.errors import StepRaised


class UnpicklableArtifact(StepRaised):
    """An artifact cannot be saved: neither a serializer nor pickle takes it.

    `path` leads to the part that is to blame, such as `.model['lock']`; empty for the value itself.
    """

    def __init__(self, name: str, *, type_name: str, reason: str, path: str = "") -> None:
        super().__init__(
            f"artifact `{name}` of type `{type_name}` cannot be saved: "
            + (f"`{name}{path}`: {reason}" if path else reason),
            hint=f"delete `self.{name}` before the step ends, or store what it was made from",
        )
        self.name = name
        self.type_name = type_name
        self.reason = reason
        self.path = path
