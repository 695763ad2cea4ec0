"""The client's errors, told as ours; the one place that reads what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from flowkit.s3.addresses import S3Address
from flowkit.s3.errors import (
    S3AccessDenied,
    S3Error,
    S3Interrupted,
    S3InvalidRange,
    S3NotFound,
    S3ObjectChanged,
    S3Unavailable,
)

_BROKEN_OFF = ("body error", "response body", "invalid list response", "multipart response")
"""How the client says that an answer's head came, and its body did not, or not whole."""
_METADATA_SERVICE = ("/latest/api/token", "/latest/meta-data", "169.254.170.2")
"""Where it looks for credentials when nothing else names any."""
_CODES_OF_A_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect")
_REDIRECT = "redirect without LOCATION"

_NO_ANSWER = (
    ("dns error", "its name is not known"),
    ("certificate", "its certificate is not trusted"),
    ("TimedOut", "no answer came in time"),
    ("tcp connect error", "nothing accepts connections there"),
    ("ConnectionReset", "the connection was reset"),
    ("IncompleteMessage", "the connection was closed"),
)
"""What the client prints of a request without an answer, and what it means."""


@contextmanager
def translated(address: S3Address) -> Iterator[None]:
    """Raise what the client raises in the block as an S3Error about an address."""
    try:
        yield
    except FileNotFoundError as error:
        # One with a number is the system's, about a file of the user's.
        if error.errno is not None:
            raise
        raise _translate(error, address) from error
    except BaseError as error:
        raise _translate(error, address) from error


def _translate(error: Exception, address: S3Address) -> S3Error:
    # The message comes first, then how the client prints its own error.
    said, _, printed = str(error).partition("\n\nDebug source")
    code = _first(r"<Code>(\w+)</Code>", said)
    status = int(_first(r"status code: (\d{3})", said) or 0)
    if code == "NoSuchBucket":
        return S3NotFound(bucket=address.bucket, key=None)
    # Types first: only a message without one is searched for words, as keys may be any words.
    if isinstance(error, FileNotFoundError):
        return S3NotFound(bucket=address.bucket, key=address.key)
    if isinstance(error, PreconditionError):
        return S3ObjectChanged(str(address))
    if not isinstance(error, PermissionDeniedError | UnauthenticatedError):
        if any(place in said for place in _METADATA_SERVICE):
            return S3AccessDenied(
                f"there are no credentials for `{address}`",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
                "AWS_SKIP_SIGNATURE=true for a public bucket",
            )
        if code in _CODES_OF_A_REGION or _REDIRECT in said:
            return S3Error(
                f"bucket `{address.bucket}` is in another region",
                hint="set AWS_REGION to its region",
            )
        if code == "RequestTimeout" or any(text in said for text in _BROKEN_OFF):
            return S3Interrupted(
                f"the transfer of `{address}` broke off", hint="check the network, and try again"
            )
        if not status and ("HTTP error" in said or "Error performing" in said):
            return _no_answer(address, said, printed)
    return _of_the_status(address, said, code, status)


def _no_answer(address: S3Address, said: str, printed: str) -> S3Error:
    endpoint = _first(r"Error performing \w+ (\w+://[^/\s]+)", said) or "the endpoint"
    why = next((words for sign, words in _NO_ANSWER if sign in printed), None)
    return S3Unavailable(
        f"{endpoint} does not answer for `{address}`" + (f": {why}" if why else ""),
        hint="check the setting `s3_endpoint` or AWS_ENDPOINT_URL, and the network",
    )


def _of_the_status(address: S3Address, said: str, code: str | None, status: int) -> S3Error:
    if status in (401, 403):
        return S3AccessDenied(
            f"access to `{address}` is denied" + (f": {code}" if code else ""),
            hint="check the credentials, and what they allow",
        )
    if status == 416:
        return S3InvalidRange(
            f"the range begins behind the end of `{address}`", hint="ask `info` for its size"
        )
    if status >= 500 or status == 429:
        return S3Unavailable(
            f"S3 does not serve `{address}`: status {status}" + (f", {code}" if code else ""),
            hint="try again later, or with fewer requests at a time: setting `s3_workers`",
        )
    what = f"status {status}, {code}" if code else " ".join(said.split())[:300]
    return S3Error(f"S3 refuses `{address}`: {what}", hint="look the code up in S3's reference")


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
