"""What goes wrong with S3, by who must act; each names the URL."""

from __future__ import annotations

from flowkit.errors import FlowkitError, UsageError


class S3Error(FlowkitError):
    """S3 did not do what was asked of it."""

    exit_code = 4


class S3NotFound(S3Error):
    """There is no object at this URL, or no bucket of this name.

    `key` is None where the bucket is missing.
    """

    def __init__(self, *, bucket: str, key: str | None) -> None:
        self.bucket, self.key = bucket, key
        if key is None:
            super().__init__(
                f"there is no bucket `{bucket}`",
                hint="check the name, and the endpoint: `flowkit settings` shows `s3_endpoint`",
            )
        else:
            super().__init__(
                f"there is no object `s3://{bucket}/{key}`",
                hint="list what is there with `list_recursive`, or pass `return_missing=True`",
            )


class S3AccessDenied(S3Error):
    """The credentials do not allow it, or there are none."""


class S3ObjectChanged(S3Error):
    """An object was replaced while it was read; nothing of it is returned."""

    retryable = True

    def __init__(self, url: str) -> None:
        super().__init__(f"`{url}` was replaced while it was read", hint="read it again")


class S3Unavailable(S3Error):
    """The endpoint does not answer, or answers that it is too busy, however often it is asked."""

    retryable = True


class S3Interrupted(S3Error):
    """An answer broke off, however often it was asked for; nothing of it is returned."""

    retryable = True


class S3InvalidRange(S3Error):
    """A range begins behind the end of the object."""


class S3InvalidUrl(UsageError):
    """A URL or a key is not one that S3 takes here."""


# Metaflow's names, for flows that catch them.
MetaflowS3Exception = S3Error
MetaflowS3NotFound = S3NotFound
MetaflowS3AccessDenied = S3AccessDenied
MetaflowS3URLException = S3InvalidUrl
MetaflowS3InvalidRange = S3InvalidRange
