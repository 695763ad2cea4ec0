"""flowkit: machine-learning workflows on a laptop, in a cluster, on a schedule.

```python
from flowkit import FlowSpec, step
```

Every public name loads on first use, so that importing flowkit costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

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
        batch,
        catch,
        concurrency,
        conda,
        conda_base,
        current,
        environment,
        exit_hook,
        kubernetes,
        project,
        pypi,
        pypi_base,
        resources,
        retry,
        schedule,
        step,
        timeout,
        trigger,
        trigger_on_finish,
    )
    from flowkit.s3 import (
        S3,
        MetaflowS3AccessDenied,
        MetaflowS3Exception,
        MetaflowS3InvalidRange,
        MetaflowS3NotFound,
        MetaflowS3URLException,
        S3AccessDenied,
        S3Error,
        S3GetObject,
        S3Interrupted,
        S3InvalidRange,
        S3InvalidUrl,
        S3NotFound,
        S3Object,
        S3ObjectChanged,
        S3PutObject,
        S3Unavailable,
    )
    from flowkit.table import DataFrame, Table

__version__ = "0.1.0"

__all__ = [
    "S3",
    "Artifact",
    "ArtifactMissing",
    "CaughtFailure",
    "Corrupt",
    "DataArtifact",
    "DataFrame",
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
    "MetaflowS3AccessDenied",
    "MetaflowS3Exception",
    "MetaflowS3InvalidRange",
    "MetaflowS3NotFound",
    "MetaflowS3URLException",
    "MissingInMergeArtifactsException",
    "NamespaceMismatch",
    "NotFound",
    "Parameter",
    "ParameterContext",
    "PluginBroken",
    "Run",
    "RunFailed",
    "S3AccessDenied",
    "S3Error",
    "S3GetObject",
    "S3Interrupted",
    "S3InvalidRange",
    "S3InvalidUrl",
    "S3NotFound",
    "S3Object",
    "S3ObjectChanged",
    "S3PutObject",
    "S3Unavailable",
    "Step",
    "StepRaised",
    "StepTimedOut",
    "StoreError",
    "StoreTooNew",
    "Table",
    "Task",
    "UnhandledInMergeArtifactsException",
    "UsageError",
    "VersionMoved",
    "batch",
    "catch",
    "concurrency",
    "conda",
    "conda_base",
    "current",
    "default_namespace",
    "environment",
    "exit_hook",
    "get_namespace",
    "kubernetes",
    "namespace",
    "project",
    "pypi",
    "pypi_base",
    "resources",
    "retry",
    "schedule",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
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
        "UnhandledInMergeArtifactsException batch catch concurrency conda conda_base current "
        "environment exit_hook kubernetes project pypi pypi_base resources retry schedule step "
        "timeout trigger trigger_on_finish"
    ),
    "flowkit.s3": (
        "MetaflowS3AccessDenied MetaflowS3Exception MetaflowS3InvalidRange MetaflowS3NotFound "
        "MetaflowS3URLException "
        "S3 S3AccessDenied S3Error S3GetObject S3Interrupted S3InvalidRange S3InvalidUrl "
        "S3NotFound S3Object S3ObjectChanged S3PutObject S3Unavailable"
    ),
    "flowkit.table": "DataFrame Table",
}
__getattr__ = loads("flowkit", _ROOMS)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
