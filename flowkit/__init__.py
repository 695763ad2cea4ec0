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
        ArtifactMissing,
        DataArtifact,
        Flow,
        Metaflow,
        MetaflowNamespaceMismatch,
        MetaflowNotFound,
        NamespaceMismatch,
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
        KeyMissing,
        MetadataError,
        NotFound,
        PluginBroken,
        RunFailed,
        StepRaised,
        StepTimedOut,
        StoreError,
        StoreTooNew,
        UsageError,
        VersionMoved,
    )
    from flowkit.flow import (
        CaughtFailure,
        FlowSpec,
        IncludeFile,
        JSONType,
        MergeFailed,
        MissingInMergeArtifactsException,
        Parameter,
        ParameterContext,
        UnhandledInMergeArtifactsException,
        catch,
        concurrency,
        environment,
        resources,
        retry,
        step,
        timeout,
    )

    # From its own module: mypy takes the package's `current` for that module.
    from flowkit.flow.current import current

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "ArtifactMissing",
    "CaughtFailure",
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
    "KeyMissing",
    "MergeFailed",
    "MetadataError",
    "Metaflow",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MissingInMergeArtifactsException",
    "NamespaceMismatch",
    "NotFound",
    "Parameter",
    "ParameterContext",
    "PluginBroken",
    "Run",
    "RunFailed",
    "Step",
    "StepRaised",
    "StepTimedOut",
    "StoreError",
    "StoreTooNew",
    "Task",
    "UnhandledInMergeArtifactsException",
    "UsageError",
    "VersionMoved",
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
        "Artifact ArtifactMissing DataArtifact Flow Metaflow MetaflowNamespaceMismatch "
        "MetaflowNotFound NamespaceMismatch Run Step Task default_namespace get_namespace "
        "namespace"
    ),
    "flowkit.errors": (
        "Corrupt EnvironmentFailed ExecutorError FlowInvalid FlowkitBug FlowkitError "
        "KeyMissing MetadataError NotFound PluginBroken RunFailed StepRaised StepTimedOut "
        "StoreError StoreTooNew UsageError VersionMoved"
    ),
    "flowkit.flow": (
        "CaughtFailure FlowSpec IncludeFile JSONType MergeFailed "
        "MissingInMergeArtifactsException Parameter ParameterContext "
        "UnhandledInMergeArtifactsException catch concurrency current environment "
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
