"""What a flow class consists of: its own members and the inherited ones, FlowSpec's left out."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import ismodule


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a flow class, and the class that it comes from.

    `hides` is what a base class has under the same name, if it has anything.
    """

    owner: type
    value: object
    hides: object = None


def members_of(flow_class: type) -> dict[str, Member]:
    """Return what attribute look-up finds, in the order of definition, base classes first."""
    from flowkit.flow.spec import FlowSpec

    found: dict[str, Member] = {}
    for owner in reversed(flow_class.__mro__):
        if owner in FlowSpec.__mro__:
            continue
        for name, value in vars(owner).items():
            hidden = found[name].value if name in found else None
            found[name] = Member(owner, value, hidden)
    return found


def is_constant(name: str, value: object) -> bool:
    """Say whether a class attribute is data of the flow: public, and neither code nor a module."""
    is_code = callable(value) or hasattr(value, "__get__") or ismodule(value)
    return not name.startswith("_") and not is_code
