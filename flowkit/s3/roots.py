"""The root of a scope: a URL, a bucket, or a prefix of a run's own."""

from __future__ import annotations

from typing import Protocol

from flowkit.errors import UsageError
from flowkit.flow import FlowSpec, current
from flowkit.s3.addresses import S3Address


class NamesRun(Protocol):
    """What tells which run it is, as the client's `Run` does: `Flow/run`."""

    @property
    def pathspec(self) -> str:
        """`Flow/run`."""
        ...


def find_root(
    *,
    s3root: str | None,
    run: FlowSpec | NamesRun | None,
    bucket: str | None,
    prefix: str | None,
    configured: str | None,
) -> S3Address | None:
    """Return the root that a scope was asked for; None if its keys are URLs.

    Args:
        s3root: a URL.
        run: the running flow, or a run.
        bucket: instead of the one of the configured root.
        prefix: instead of the one of the configured root.
        configured: the setting `s3_root`, below which runs have their prefixes.

    Raises:
        UsageError: these do not go together, no task is running, or no root is configured.
    """
    if s3root is not None:
        if run is not None or bucket is not None or prefix is not None:
            raise UsageError(
                "`s3root` names bucket and prefix, so `run`, `bucket` and `prefix` are too much",
                hint="give `s3root`, or `run`, or `bucket` and `prefix`",
            )
        return S3Address.parse(s3root)
    if run is None and bucket is None:
        if prefix is not None:
            raise UsageError("`prefix` is given without a bucket", hint="give `bucket` as well")
        return None
    root = _base(bucket, configured)
    if prefix is not None:
        root = S3Address(root.bucket, "").below(prefix.strip("/"))
    return root if run is None else root.below(_run_of(run))


def _base(bucket: str | None, configured: str | None) -> S3Address:
    if bucket is not None:
        return S3Address.parse(f"s3://{bucket}")
    if configured is None:
        raise UsageError(
            "no root is configured below which runs keep what they write to S3",
            hint="set `s3_root`, for example `FLOWKIT_S3_ROOT=s3://bucket/flowkit`",
        )
    return S3Address.parse(configured)


def _run_of(run: FlowSpec | NamesRun) -> str:
    if isinstance(run, FlowSpec):
        spec = current.find_spec()
        if spec is None:
            raise UsageError(
                "`S3(run=self)` is for steps, and no task is running",
                hint="name a run: `S3(run=Run('Flow/1'))`",
            )
        return str(spec.run)
    pathspec = getattr(run, "pathspec", None)
    if not isinstance(pathspec, str) or pathspec.count("/") != 1:
        raise UsageError(
            f"`{run!r}` is no run", hint="give `self` in a step, or `Run('Flow/1')` elsewhere"
        )
    return pathspec
