"""What a flow is, as data, and what can be asked about its shape.

`model`: nodes with their policies, and the description of a whole flow. `shape`: order, parents
and open splits.
"""

from flowkit.graph.model import (
    Case,
    Catch,
    FlowDescription,
    Kind,
    Node,
    ParameterDescription,
    Place,
    Policies,
    Resources,
    Retry,
    Timeout,
)
from flowkit.graph.shape import Graph

__all__ = [
    "Case",
    "Catch",
    "FlowDescription",
    "Graph",
    "Kind",
    "Node",
    "ParameterDescription",
    "Place",
    "Policies",
    "Resources",
    "Retry",
    "Timeout",
]
