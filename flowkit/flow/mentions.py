"""The artifacts that a flow's source tells of."""

from __future__ import annotations

from flowkit.flow.attributes import assignments, reads
from flowkit.flow.members import members_of
from flowkit.flow.names import functions_in
from flowkit.flow.source import Sources, module_file


def artifact_names(flow_class: type) -> frozenset[str]:
    """Return the names that methods of a flow set or read on `self`, where that shows."""
    sources = Sources(own=module_file(flow_class), shown=None)
    found: set[str] = set()
    for member in members_of(flow_class).values():
        for function in functions_in(member.value):
            source = sources.function(function)
            if source is not None:
                found |= reads(source) | {name for name, _ in assignments(source)}
    return frozenset(found)
