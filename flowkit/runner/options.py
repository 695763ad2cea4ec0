"""What a caller chooses for one run."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class RunOptions(Struct, frozen=True, kw_only=True):
    """What a caller chooses for one run.

    `parameters` is text as it stands on a command line, by option name; it is converted where the
    flow's own types are known. `with_specs` are policies for all steps, such as `retry:times=2`.
    The run's id is written to `run_id_file` before its first task starts, and with the flow's name
    and the place of its runs, as JSON, to `attribute_file`. A foreach that fans out to more than
    `max_num_splits` tasks fails. `branch` and `production` say where in its project a run is; a
    resumed run stays where the earlier one was unless they say otherwise. `triggers` are runs, as
    `Flow/12`, that are said to have started it.
    `reuse`: tasks of any earlier run may stand for this run's, except of steps that forbid it.
    """

    parameters: Mapping[str, str | list[str]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    with_specs: tuple[str, ...] = ()
    run_id_file: str | None = None
    attribute_file: str | None = None
    max_num_splits: int | None = None
    namespace: str | None = None
    branch: str | None = None
    production: bool = False
    triggers: tuple[str, ...] = ()
    reuse: bool = False

    @property
    def policies(self) -> tuple[str, ...]:
        """Policies for all steps; reuse is one that a step may have by itself."""
        return (*self.with_specs, "memo") if self.reuse else self.with_specs
