"""S3: objects by URL or key, straight into memory, complete or not at all.

* `scope`: `S3`, what users open; `roots`: where its keys are below
* `objects`: what it takes and gives; `content`: their bytes, in memory or in files
* `fetching`: many objects at a time; `memory`: how much they take
* `reading`, `writing`, `listing`: one object, one prefix
* `connection`: the client; `credentials`: AWS's files; `translation`: the client's errors
* `addresses`: URLs and keys; `errors`: what goes wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.s3.connection import is_unsafe_to_fork
    from flowkit.s3.credentials import find_options, find_server
    from flowkit.s3.errors import (
        MetaflowS3AccessDenied,
        MetaflowS3Exception,
        MetaflowS3InvalidRange,
        MetaflowS3NotFound,
        MetaflowS3URLException,
        S3AccessDenied,
        S3Error,
        S3Interrupted,
        S3InvalidRange,
        S3InvalidUrl,
        S3NotFound,
        S3ObjectChanged,
        S3Unavailable,
    )
    from flowkit.s3.objects import RangeInfo, S3GetObject, S3Object, S3PutObject
    from flowkit.s3.scope import S3

__all__ = [
    "S3",
    "MetaflowS3AccessDenied",
    "MetaflowS3Exception",
    "MetaflowS3InvalidRange",
    "MetaflowS3NotFound",
    "MetaflowS3URLException",
    "RangeInfo",
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
    "find_options",
    "find_server",
    "is_unsafe_to_fork",
]

__getattr__ = loads(
    "flowkit.s3",
    {
        "flowkit.s3.connection": "is_unsafe_to_fork",
        "flowkit.s3.credentials": "find_options find_server",
        "flowkit.s3.errors": (
            "MetaflowS3AccessDenied MetaflowS3Exception MetaflowS3InvalidRange "
            "MetaflowS3NotFound MetaflowS3URLException "
            "S3AccessDenied S3Error S3Interrupted S3InvalidRange S3InvalidUrl S3NotFound "
            "S3ObjectChanged S3Unavailable"
        ),
        "flowkit.s3.objects": "RangeInfo S3GetObject S3Object S3PutObject",
        "flowkit.s3.scope": "S3",
    },
)
