"""flowkit: machine-learning workflows on a laptop, in a cluster, on a schedule.

```python
from flowkit import FlowSpec, step
```

Every public name loads on first use, so that importing flowkit costs next to nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import flowkit.folder  # noqa: F401  # it remembers the folder before a script changes it
from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.cards import get_cards
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
        default_metadata,
        default_namespace,
        get_metadata,
        get_namespace,
        inspect_spin,
        metadata,
        namespace,
    )
    from flowkit.deploying import (
        DeployedFlow,
        Deployer,
        TriggeredRun,
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
        MetaflowException,
        MetaflowInternalError,
        NotFound,
        PluginBroken,
        RunFailed,
        SecretsUnavailable,
        StepRaised,
        StepTimedOut,
        StoreError,
        StoreTooNew,
        TimeoutException,
        UsageError,
        VersionMoved,
    )
    from flowkit.flow import (
        USER_SKIP_STEP,
        CaughtFailure,
        Config,
        ConfigValue,
        FlowMutator,
        FlowSpec,
        IncludeFile,
        JSONType,
        MergeFailed,
        MetaflowExceptionWrapper,
        MissingInMergeArtifactsException,
        MutableFlow,
        MutableStep,
        Parameter,
        ParameterContext,
        StepMutator,
        UnhandledInMergeArtifactsException,
        UserStepDecorator,
        batch,
        card,
        catch,
        concurrency,
        conda,
        conda_base,
        conda_environment_yml_parser,
        config_expr,
        current,
        environment,
        exit_hook,
        kubernetes,
        memo,
        parallel,
        project,
        pypi,
        pypi_base,
        pyproject_toml_parser,
        requirements_txt_parser,
        resources,
        retry,
        schedule,
        secrets,
        step,
        timeout,
        trigger,
        trigger_on_finish,
        user_step_decorator,
        yaml_parser,
    )
    from flowkit.forking import (
        ChildDied,
        parallel_imap_unordered,
        parallel_map,
    )
    from flowkit.launch import (
        ExecutingRun,
        NBRunner,
        Runner,
    )
    from flowkit.profiling import (
        profile,
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
    from flowkit.secrecy import SecretsRejected, get_secret
    from flowkit.table import DataFrame, Table

__version__ = "0.1.0"

__all__ = [
    "S3",
    "USER_SKIP_STEP",
    "Artifact",
    "ArtifactMissing",
    "CaughtFailure",
    "ChildDied",
    "Config",
    "ConfigValue",
    "Corrupt",
    "DataArtifact",
    "DataFrame",
    "DeployedFlow",
    "Deployer",
    "EnvironmentFailed",
    "ExecutingRun",
    "ExecutorError",
    "Flow",
    "FlowInvalid",
    "FlowMutator",
    "FlowSpec",
    "FlowkitBug",
    "FlowkitError",
    "IncludeFile",
    "JSONType",
    "KeyMissing",
    "MergeFailed",
    "MetadataError",
    "Metaflow",
    "MetaflowException",
    "MetaflowExceptionWrapper",
    "MetaflowInternalError",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MetaflowS3AccessDenied",
    "MetaflowS3Exception",
    "MetaflowS3InvalidRange",
    "MetaflowS3NotFound",
    "MetaflowS3URLException",
    "MissingInMergeArtifactsException",
    "MutableFlow",
    "MutableStep",
    "NBRunner",
    "NamespaceMismatch",
    "NotFound",
    "Parameter",
    "ParameterContext",
    "PluginBroken",
    "Run",
    "RunFailed",
    "Runner",
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
    "SecretsRejected",
    "SecretsUnavailable",
    "Step",
    "StepMutator",
    "StepRaised",
    "StepTimedOut",
    "StoreError",
    "StoreTooNew",
    "Table",
    "Task",
    "TimeoutException",
    "TriggeredRun",
    "UnhandledInMergeArtifactsException",
    "UsageError",
    "UserStepDecorator",
    "VersionMoved",
    "batch",
    "card",
    "catch",
    "concurrency",
    "conda",
    "conda_base",
    "conda_environment_yml_parser",
    "config_expr",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "exit_hook",
    "get_cards",
    "get_metadata",
    "get_namespace",
    "get_secret",
    "inspect_spin",
    "kubernetes",
    "memo",
    "metadata",
    "namespace",
    "parallel",
    "parallel_imap_unordered",
    "parallel_map",
    "profile",
    "project",
    "pypi",
    "pypi_base",
    "pyproject_toml_parser",
    "requirements_txt_parser",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
    "yaml_parser",
]

_ROOMS = {
    "flowkit.cards": "get_cards",
    "flowkit.client": (
        "Artifact ArtifactMissing DataArtifact Flow Metaflow MetaflowNamespaceMismatch "
        "MetaflowNotFound NamespaceMismatch Run Step Task default_metadata default_namespace "
        "get_metadata get_namespace inspect_spin metadata namespace"
    ),
    "flowkit.deploying": "DeployedFlow Deployer TriggeredRun",
    "flowkit.errors": (
        "Corrupt EnvironmentFailed ExecutorError FlowInvalid FlowkitBug FlowkitError KeyMissing "
        "MetadataError MetaflowException MetaflowInternalError NotFound PluginBroken RunFailed "
        "SecretsUnavailable StepRaised StepTimedOut StoreError StoreTooNew TimeoutException "
        "UsageError VersionMoved"
    ),
    "flowkit.flow": (
        "USER_SKIP_STEP CaughtFailure Config ConfigValue FlowMutator FlowSpec IncludeFile "
        "JSONType MergeFailed MetaflowExceptionWrapper MissingInMergeArtifactsException "
        "MutableFlow MutableStep Parameter ParameterContext StepMutator "
        "UnhandledInMergeArtifactsException UserStepDecorator batch card catch concurrency conda "
        "conda_base conda_environment_yml_parser config_expr current environment exit_hook "
        "kubernetes memo parallel project pypi pypi_base pyproject_toml_parser "
        "requirements_txt_parser resources retry schedule secrets step timeout trigger "
        "trigger_on_finish user_step_decorator yaml_parser"
    ),
    "flowkit.forking": "ChildDied parallel_imap_unordered parallel_map",
    "flowkit.launch": "ExecutingRun NBRunner Runner",
    "flowkit.profiling": "profile",
    "flowkit.s3": (
        "MetaflowS3AccessDenied MetaflowS3Exception MetaflowS3InvalidRange MetaflowS3NotFound "
        "MetaflowS3URLException S3 S3AccessDenied S3Error S3GetObject S3Interrupted "
        "S3InvalidRange S3InvalidUrl S3NotFound S3Object S3ObjectChanged S3PutObject "
        "S3Unavailable"
    ),
    "flowkit.secrecy": "SecretsRejected get_secret",
    "flowkit.table": "DataFrame Table",
}
__getattr__ = loads("flowkit", _ROOMS)


class _Flat(ModuleType):
    """The package: its `metadata` is the function, whenever the room of that name is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "metadata" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Flat


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
