"""Starting attempts, and noticing when they end; never how they went.

`host`: who knows the user's code. `local`: processes of this machine, forked from a zygote or
cold. `inline`: this process. `opening`: executors by name. `surroundings`: environment and folder
of a flow's processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.executor.host import Abandoned, FlowHost, ZygoteHost
    from flowkit.executor.inline import InlineExecutor, InlineHost
    from flowkit.executor.local import LocalExecutor
    from flowkit.executor.opening import EXECUTORS, open_executor, open_host
    from flowkit.executor.surroundings import Surroundings

__all__ = [
    "EXECUTORS",
    "Abandoned",
    "FlowHost",
    "InlineExecutor",
    "InlineHost",
    "LocalExecutor",
    "Surroundings",
    "ZygoteHost",
    "open_executor",
    "open_host",
]

__getattr__ = loads(
    "flowkit.executor",
    {
        "flowkit.executor.host": "Abandoned FlowHost ZygoteHost",
        "flowkit.executor.inline": "InlineExecutor InlineHost",
        "flowkit.executor.local": "LocalExecutor",
        "flowkit.executor.opening": "EXECUTORS open_executor open_host",
        "flowkit.executor.surroundings": "Surroundings",
    },
)
