"""The first record of a run, and the parameters that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowkit.client import Workspace
from flowkit.errors import FlowkitError
from flowkit.records import RunRecord
from flowkit.values import Digest, RunId


@dataclass(frozen=True, slots=True)
class Beginning:
    """A run that is about to begin.

    `bind` stores its parameters and returns their manifest; it may be called again. `describe`
    makes its record, given its id and its parameters.
    """

    flow: str
    bind: Callable[[], Digest]
    describe: Callable[[RunId, Digest], RunRecord]


def record_beginning(workspace: Workspace, beginning: Beginning, parameters: Digest) -> RunRecord:
    """Create a run's record under the first number that is free, and keep its parameters.

    `parameters` is what `bind` has returned. Raises what `bind` raises; there is no run then.
    """
    store, metadata = workspace.store, workspace.metadata
    number = store.next_run_number(beginning.flow)
    while True:
        record = beginning.describe(RunId(beginning.flow, str(number)), parameters)
        with metadata.changing(record.run):
            if store.create_run(record):
                metadata.record_run(record)
                # Until there was a record, nothing but their age kept the parameters from being
                # collected as garbage. What is stored now stays.
                if store.refresh_manifest(parameters):
                    return record
                before, parameters = parameters, _bound_again(workspace, record.run, beginning.bind)
                if parameters == before:
                    return record
                _take_back(workspace, record.run)  # code may have drawn them
        number += 1


def _bound_again(workspace: Workspace, run: RunId, bind: Callable[[], Digest]) -> Digest:
    try:
        return bind()
    except FlowkitError:
        _take_back(workspace, run)
        raise


def _take_back(workspace: Workspace, run: RunId) -> None:
    workspace.store.delete_run(run)
    workspace.metadata.forget_run(run)
