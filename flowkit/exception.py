"""The exceptions that a flow may catch, under the names that Metaflow gives them.

`from metaflow.exception import MetaflowException` becomes
`from flowkit.exception import MetaflowException`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.client import MetaflowNamespaceMismatch, MetaflowNotFound
    from flowkit.errors import MetaflowException, MetaflowInternalError, TimeoutException
    from flowkit.flow import (
        FailureHandledByCatch,
        MetaflowExceptionWrapper,
        MissingInMergeArtifactsException,
        UnhandledInMergeArtifactsException,
    )

__all__ = [
    "FailureHandledByCatch",
    "MetaflowException",
    "MetaflowExceptionWrapper",
    "MetaflowInternalError",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MissingInMergeArtifactsException",
    "TimeoutException",
    "UnhandledInMergeArtifactsException",
]

__getattr__ = loads(
    "flowkit.exception",
    {
        "flowkit.client": "MetaflowNamespaceMismatch MetaflowNotFound",
        "flowkit.errors": "MetaflowException MetaflowInternalError TimeoutException",
        "flowkit.flow": (
            "FailureHandledByCatch MetaflowExceptionWrapper MissingInMergeArtifactsException "
            "UnhandledInMergeArtifactsException"
        ),
    },
)
