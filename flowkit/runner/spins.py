"""Spins as values: which step is run by itself, how, and what it came to."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from flowkit.errors import UsageError
from flowkit.records import RunEnd
from flowkit.values import RunId, TaskKey, TaskResult


class SpinTarget(Struct, frozen=True):
    """What is to be spun: a step, and the run and the task of it if they are named."""

    step: str
    run: str | None = None
    """The run's id, which may have its flow's name before it."""
    task: str | None = None

    @classmethod
    def parse(cls, text: str) -> SpinTarget:
        """Read `step`, `step/task`, `run/step` or `run/step/task`, with `Flow/` or not.

        >>> SpinTarget.parse("Train/12/fit")
        SpinTarget(step='fit', run='Train/12', task=None)
        >>> SpinTarget.parse("fit/3")
        SpinTarget(step='fit', run=None, task='3')

        Raises:
            UsageError: it is none of these.
        """
        parts = text.strip("/").split("/")
        match parts:
            case _ if not all(parts):
                pass
            case [step]:
                return cls(step)
            case [step, task] if step.isidentifier() and not task.isidentifier():
                return cls(step, task=task)
            case [run, step]:
                return cls(step, run)
            case [flow, run, step] if flow.isidentifier():
                return cls(step, f"{flow}/{run}")
            case [run, step, task]:
                return cls(step, run, task)
            case [flow, run, step, task]:
                return cls(step, f"{flow}/{run}", task)
        raise UsageError(
            f"`{text}` does not name a step", hint="write it as `step`, `12/step` or `12/step/task`"
        )


class SpinOptions(Struct, frozen=True, kw_only=True):
    """What a caller chooses for one spin.

    `artifacts_module` is a file whose dict `ARTIFACTS` overrides what the step would find.
    `persist`: keep what the step leaves, for `inspect_spin`. `skip_decorators`: call the step as
    if it had none; `with_specs` are decorators that it gets, such as `card`. The spin's id is
    written to `run_id_file` before the step starts.
    """

    target: SpinTarget
    artifacts_module: str | None = None
    persist: bool = False
    skip_decorators: bool = False
    run_id_file: str | None = None
    namespace: str | None = None
    with_specs: tuple[str, ...] = ()


class Spun(Struct, frozen=True, kw_only=True):
    """How a spin ended. `result` is None if the attempt was never recorded.

    `artifacts` are the names of what the step has set, `goes_on` the steps that would come next.
    `home` is where it is kept; None if it is not.
    """

    run: RunId
    key: TaskKey
    end: RunEnd
    result: TaskResult | None
    artifacts: tuple[str, ...] = ()
    goes_on: tuple[str, ...] = ()
    home: Path | None = None
