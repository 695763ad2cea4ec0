"""flowkit: machine-learning workflows on a laptop, in a cluster, on a schedule.

```python
from flowkit import FlowSpec, step
```

Every public name loads on first use, so that importing flowkit costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowkit.client import (
        Artifact,
        DataArtifact,
        Flow,
        Run,
        Step,
        Task,
        default_namespace,
        get_namespace,
        namespace,
    )
    from flowkit.errors import (
        Corrupt,
        EnvironmentFailed,
        ExecutorError,
        FlowInvalid,
        FlowkitBug,
        FlowkitError,
        MetadataError,
        NotFound,
        PluginBroken,
        RunFailed,
        StepRaised,
        StepTimedOut,
        StoreError,
        UsageError,
    )
    from flowkit.flow import (
        FlowSpec,
        IncludeFile,
        JSONType,
        Parameter,
        catch,
        concurrency,
        current,
        environment,
        resources,
        retry,
        step,
        timeout,
    )

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "Corrupt",
    "DataArtifact",
    "EnvironmentFailed",
    "ExecutorError",
    "Flow",
    "FlowInvalid",
    "FlowSpec",
    "FlowkitBug",
    "FlowkitError",
    "IncludeFile",
    "JSONType",
    "MetadataError",
    "NotFound",
    "Parameter",
    "PluginBroken",
    "Run",
    "RunFailed",
    "Step",
    "StepRaised",
    "StepTimedOut",
    "StoreError",
    "Task",
    "UsageError",
    "catch",
    "concurrency",
    "current",
    "default_namespace",
    "environment",
    "get_namespace",
    "namespace",
    "resources",
    "retry",
    "step",
    "timeout",
]

_ROOMS = {
    "flowkit.client": (
        "Artifact DataArtifact Flow Run Step Task default_namespace get_namespace namespace"
    ),
    "flowkit.errors": (
        "Corrupt EnvironmentFailed ExecutorError FlowInvalid FlowkitBug FlowkitError "
        "MetadataError NotFound PluginBroken RunFailed StepRaised StepTimedOut StoreError "
        "UsageError"
    ),
    "flowkit.flow": (
        "FlowSpec IncludeFile JSONType Parameter catch concurrency current environment "
        "resources retry step timeout"
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> object:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module `flowkit` has no attribute `{name}`")
    from importlib import import_module

    value: object = getattr(import_module(room), name)
    # Kept, so that this function is asked once a name.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
