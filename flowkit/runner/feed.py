"""Telling the metadata index how a run goes, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from flowkit.errors import MetadataError
from flowkit.metadata import Metadata
from flowkit.records import Clones, RunEnd
from flowkit.values import Attempt, Digest, RunId, TaskKey, TaskResult

BATCH = 200
PATIENCE_S = 0.25
HEARTBEAT_S = 10.0


class IndexFeed:
    """Writes results to the index a batch at a time.

    Attempts that end before the next batch never cost a row that says they run. The index only
    repeats what the store holds: if it fails, the run goes on and `warn` is told once.
    """

    def __init__(self, metadata: Metadata, run: RunId, warn: Callable[[str], None]) -> None:
        self._metadata, self._run, self._warn = metadata, run, warn
        self._started: dict[Attempt, datetime] = {}
        self._results: list[TaskResult] = []
        self._flushed_at = self._beat_at = time.monotonic()
        self._is_broken = False

    @property
    def is_whole(self) -> bool:
        """Whether the index was told all that it was to be told."""
        return not self._is_broken

    def started(self, attempt: Attempt) -> None:
        """Note that an attempt runs."""
        self._started[attempt] = datetime.now(UTC)

    def ended(self, result: TaskResult) -> None:
        """Note how an attempt ended."""
        self._started.pop(result.attempt, None)
        self._results.append(result)

    def cloned(self, clones: Clones, *, source: RunId | None) -> None:
        """Write which tasks of earlier runs, or of `source` alone, stand for the run's own."""
        self._write(lambda: self._metadata.record_clones(clones, source=source))

    def tick(self) -> None:
        """Write if a batch is full or old enough, and say that the runner lives."""
        now = time.monotonic()
        waiting = len(self._started) + len(self._results)
        if waiting >= BATCH or (waiting and now - self._flushed_at >= PATIENCE_S):
            self.flush()
        if now - self._beat_at >= HEARTBEAT_S:
            self._beat_at = now
            self._write(lambda: self._metadata.heartbeat(self._run, datetime.now(UTC)))

    def finished(self, end: RunEnd) -> None:
        """Write how the run ended."""
        self._write(lambda: self._metadata.record_end(end))

    def base(self, key: TaskKey) -> Digest | None:
        """Return the manifest of the same task in an earlier run, if the index can tell."""
        if self._is_broken:
            return None
        try:
            return self._metadata.previous_manifest(self._run.flow, self._run, key)
        except MetadataError as error:
            self._give_up(error)
            return None

    def flush(self) -> None:
        """Write all that is waiting."""
        self._flushed_at = time.monotonic()
        started, self._started = self._started, {}
        results, self._results = self._results, []
        if started:
            at = min(started.values())
            self._write(lambda: self._metadata.record_started(self._run, list(started), at))
        if results:
            self._write(lambda: self._metadata.record_results(self._run, results))

    def _write(self, write: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            write()
        except MetadataError as error:
            self._give_up(error)

    def _give_up(self, error: MetadataError) -> None:
        self._is_broken = True
        self._warn(
            f"{error.message}; the run goes on, and the next command mends the index, "
            "or `flowkit store reindex` does"
        )
