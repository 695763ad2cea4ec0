"""What a record must say to be used: records may come from strangers, types are not all.

Whoever reads records relies on it: names of flows, runs and steps are parts of paths, numbers fit a
database, times can be told in any time zone, and a flow's steps lead to steps of the flow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

from flowkit.records import Clones, RunEnd, RunRecord, StoredCard
from flowkit.store.keys import is_flow_name, is_run_id
from flowkit.values import Attempt, Manifest, Outcome, RunId, TaskKey, TaskResult

if TYPE_CHECKING:
    from flowkit.graph import FlowDescription

_NUMBER_MAX: Final = 1 << 53
_SNAPSHOT_MAX: Final = 1 << 63
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


def check_record(record: object) -> None:
    """Raise ValueError, which says what cannot be, unless a record can be what it says."""
    match record:
        case TaskResult():
            _check_result(record)
        case RunRecord():
            _check_run(record)
        case RunEnd():
            _check_time(record.finished_at)
            for key in record.failed:
                _check_key(key)
        case Clones():
            _check_clones(record)
        case StoredCard():
            _check_attempt(record.attempt)
            _check_number(record.number)
        case _:
            raise TypeError(f"a {type(record).__name__} is no record")


def check_manifest(manifest: Manifest, pack_bytes: int) -> None:
    """Raise ValueError unless a manifest with a pack of that size can be what it says."""
    entries = [*manifest.artifacts.values(), *manifest.items]
    if manifest.item_digests is not None:
        entries.append(manifest.item_digests)
    for entry in entries:
        if not entry.parts:
            raise ValueError("an artifact in it has no parts")
        for part in entry.parts:
            _check_number(part.size_bytes)
            if part.packed_at is None:
                if part.digest is None:
                    raise ValueError("a part of an artifact in it is nowhere")
            elif part.packed_at < 0 or (
                part.digest is None and part.packed_at + part.size_bytes > pack_bytes
            ):
                raise ValueError("a part of an artifact in it is not in the pack")
    if manifest.items and manifest.items_per_block < 1:
        raise ValueError(f"its items are in blocks of {manifest.items_per_block}")
    for use in manifest.tables:
        if not -_SNAPSHOT_MAX <= use.snapshot < _SNAPSHOT_MAX:
            raise ValueError(f"it tells of a snapshot {use.snapshot}")


def _check_result(result: TaskResult) -> None:
    _check_attempt(result.attempt)
    _check_time(result.started_at)
    _check_time(result.finished_at)
    if (result.status == "succeeded") != (result.outcome is not None):
        raise ValueError("its outcome does not fit its status")
    if result.outcome is not None:
        _check_outcome(result.outcome)
    if not isfinite(result.cpu_s):
        raise ValueError("its seconds of CPU are no number")
    _check_number(result.pid)
    _check_number(result.peak_memory_bytes)


def _check_run(record: RunRecord) -> None:
    _check_time(record.started_at)
    _check_number(record.pid)
    for run in (record.origin, *record.triggers):
        if run is not None:
            _check_names([run], [])
    if record.description.nodes:
        _check_description(record.description)


def _check_description(description: FlowDescription) -> None:
    from flowkit.graph import Graph  # a worker reads results, and no run

    _check_names([], [node.name for node in description.nodes])
    try:
        graph = Graph(description)
        for step in graph:
            graph.depth(step)
            if graph[step].is_join:
                graph.split_of(step)
    except KeyError as error:
        raise ValueError(f"its steps do not fit together at {error}") from error
    if description.end not in graph or len(graph) != len(description.nodes):
        raise ValueError("not all of its steps can be reached, each once")


def _check_clones(clones: Clones) -> None:
    # Most are of a few steps of one run, and there may be 100,000.
    _check_names(
        {clone.origin for clone in clones.clones},
        {key.step for clone in clones.clones for key in (clone.key, clone.computed)},
    )
    for clone in clones.clones:
        _check_indexes(clone.key)
        if clone.origin_key is not None:
            _check_indexes(clone.origin_key)
        _check_number(clone.attempt)
        _check_outcome(clone.outcome)


def _check_outcome(outcome: Outcome) -> None:
    if outcome.width is not None:
        _check_number(outcome.width)


def _check_attempt(attempt: Attempt) -> None:
    _check_number(attempt.number)
    _check_key(attempt.key)


def _check_key(key: TaskKey) -> None:
    _check_names([], [key.step])
    _check_indexes(key)


def _check_indexes(key: TaskKey) -> None:
    _check_number(key.iteration)
    for index in key.path:
        _check_number(index)


def _check_names(runs: Iterable[RunId], steps: Iterable[str]) -> None:
    for run in runs:
        if not is_flow_name(run.flow) or not is_run_id(run.id):
            raise ValueError(f"`{run}` is not the name of a run")
    for step in steps:
        if not is_flow_name(step):
            raise ValueError(f"`{step}` is not the name of a step")


def _check_number(number: int) -> None:
    if not 0 <= number < _NUMBER_MAX:
        raise ValueError(f"it counts to {number}")


def _check_time(time: datetime) -> None:
    if time.tzinfo is None or not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"{time} is no time in UTC")
