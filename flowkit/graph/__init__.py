"""What a flow is, as data, and what can be asked about its shape.

`model`: nodes, and the description of a whole flow. `policies`: what decorators ask for. `shape`:
order, parents and open splits. `faults`: what can be wrong with a flow, and the error that lists
it. `ways`: where steps lead in a flow that has faults. `checks`, `balance`: the rules. `draw`: a
flow as text, DOT and JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.graph.checks import check
    from flowkit.graph.draw import to_dot, to_json, to_text
    from flowkit.graph.faults import RESERVED_NAMES, RULES, Fault, FlowFaults, reserved_name
    from flowkit.graph.model import (
        Case,
        ConfigDescription,
        FlowDescription,
        Kind,
        Node,
        ParameterDescription,
        Place,
        Reach,
    )
    from flowkit.graph.policies import (
        BRANCH_NAMES,
        NO_POLICIES,
        Backend,
        CardPolicy,
        Catch,
        ExitHooks,
        FlowPolicies,
        Policies,
        Project,
        Resources,
        Retry,
        Schedule,
        Secrets,
        SecretSource,
        Timeout,
        Trigger,
        TriggerEvent,
        TriggerFlow,
        is_branch_name,
    )
    from flowkit.graph.shape import Graph

__all__ = [
    "BRANCH_NAMES",
    "NO_POLICIES",
    "RESERVED_NAMES",
    "RULES",
    "Backend",
    "CardPolicy",
    "Case",
    "Catch",
    "ConfigDescription",
    "ExitHooks",
    "Fault",
    "FlowDescription",
    "FlowFaults",
    "FlowPolicies",
    "Graph",
    "Kind",
    "Node",
    "ParameterDescription",
    "Place",
    "Policies",
    "Project",
    "Reach",
    "Resources",
    "Retry",
    "Schedule",
    "SecretSource",
    "Secrets",
    "Timeout",
    "Trigger",
    "TriggerEvent",
    "TriggerFlow",
    "check",
    "is_branch_name",
    "reserved_name",
    "to_dot",
    "to_json",
    "to_text",
]

__getattr__ = loads(
    "flowkit.graph",
    {
        "flowkit.graph.checks": "check",
        "flowkit.graph.draw": "to_dot to_json to_text",
        "flowkit.graph.faults": "RESERVED_NAMES RULES Fault FlowFaults reserved_name",
        "flowkit.graph.model": (
            "Case ConfigDescription FlowDescription Kind Node ParameterDescription Place Reach"
        ),
        "flowkit.graph.policies": (
            "BRANCH_NAMES NO_POLICIES Backend CardPolicy Catch ExitHooks FlowPolicies Policies "
            "Project Resources Retry Schedule SecretSource Secrets Timeout Trigger TriggerEvent "
            "TriggerFlow is_branch_name"
        ),
        "flowkit.graph.shape": "Graph",
    },
)
