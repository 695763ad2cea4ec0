"""One task: its artifacts, its log, and how it went."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.client import kinship
from flowkit.client.artifact import Artifact
from flowkit.client.facts import Metadatum, environment_of, facts_of
from flowkit.client.own_attempt import note_own_attempt
from flowkit.client.task_logs import printing_attempt, read_log
from flowkit.client.values import Artifacts, ArtifactValues, Entries
from flowkit.client.views import RunPart, missing_step, not_found, restore, split_pathspec
from flowkit.client.workspace import Workspace
from flowkit.errors import NotFound, UsageError
from flowkit.logs import Stream, whole_lines
from flowkit.metadata import AttemptRow, AttemptStatus, TaskRow
from flowkit.values import Failure, TableUse, TaskKey

if TYPE_CHECKING:
    from flowkit.client.run import Run
    from flowkit.client.step import Step


class Task(RunPart):
    """A task. Iterating gives its artifacts, `task["x"]` one of them, `task.data.x` its value.

    `attempt`: look at this attempt; by default at the latest, whichever that is when asked.

    A task that a resumed run cloned shows what the run that computed it knows: its times, its
    log, its attempt.

    Raises:
        NotFound: the task, or its attempt, does not exist.
        NamespaceMismatch: the run is not in the namespace.
    """

    shape: ClassVar[str] = "Flow/run/step/task"

    def __init__(
        self,
        pathspec: str,
        attempt: int | None = None,
        *,
        workspace: Workspace | None = None,
        check_namespace: bool = True,
    ) -> None:
        from flowkit.client.run import Run

        flow, run_id, step, task_id = split_pathspec(Task, pathspec)
        run = Run(f"{flow}/{run_id}", workspace=workspace, check_namespace=check_namespace)
        self._begin(run, _find(run, step, task_id), attempt)

    @classmethod
    def of(cls, run: Run, row: TaskRow, attempt: int | None = None) -> Task:
        """Return the task that a row tells of. Raises NotFound if it has no such attempt."""
        view = cls.__new__(cls)
        view._begin(run, row, attempt)
        return view

    @classmethod
    def find(cls, run: Run, step: str, task_id: str) -> Task:
        """Return a run's task. Raises NotFound."""
        return cls.of(run, _find(run, step, task_id))

    def _begin(self, run: Run, row: TaskRow, attempt: int | None) -> None:
        super().__init__(f"{run.pathspec}/{row.key}", run)
        self._pinned = attempt
        self._known = row
        if attempt is not None and attempt != row.attempt.number:
            rows = {one.attempt.number: one for one in self._rows()}
            if attempt not in rows:
                what = f"attempt `{attempt}` of task `{self._pathspec}`"
                raise not_found(what, str(attempt), map(str, rows))
            self._known = rows[attempt]

    @property
    def parent(self) -> Step:
        """The step."""
        from flowkit.client.step import Step

        return Step.of(self._run, self._known.key.step)

    @property
    def row(self) -> AttemptRow:
        """What the index knows of the attempt, asked for again as long as it may change."""
        known = self._known
        # A node of a gang may run again because another has failed.
        is_settled = self._run.finished or (
            known.status == "succeeded" and not self._run.graph.is_gang(known.key.step)
        )
        if is_settled or (self._pinned is not None and known.status == "failed"):
            return known
        rows = self._rows()
        if self._pinned is not None:
            rows = [row for row in rows if row.attempt.number == self._pinned]
        if rows:
            self._known = rows[-1]
        return self._known

    @property
    def pinned(self) -> int | None:
        """The attempt that this view was made for; None if it shows the latest."""
        return self._pinned

    @property
    def key(self) -> TaskKey:
        """Which execution of the step it is: the same in every run."""
        return self._known.key

    @property
    def index(self) -> int | None:
        """Which element of the innermost foreach it has, or which node of a gang it is; or None."""
        path = self._known.key.path
        return path[-1] if path else None

    @property
    def num_nodes(self) -> int | None:
        """How many nodes its gang has, of which it is number `index`; None if it is no node."""
        return kinship.nodes_of_gang(self._workspace.metadata, self._run.graph, self.row)

    @property
    def status(self) -> AttemptStatus:
        """How the attempt stands; `lost`: it ran when its run's driver died."""
        return self.row.status

    @property
    def successful(self) -> bool:
        """Whether it ended well."""
        return self.row.status == "succeeded"

    @property
    def finished(self) -> bool:
        """Whether it ended, well or badly. A failed attempt may have a successor."""
        return self.row.status in ("succeeded", "failed")

    @property
    def created_at(self) -> datetime | None:
        """When the task's first attempt started, or the one that this view was made for."""
        if self._pinned is None and self.row.attempt.number and self.row.origin is None:
            return self._rows()[0].started_at
        return self._computed.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When the attempt ended; None while it runs."""
        return self._computed.finished_at

    @property
    def origin_pathspec(self) -> str | None:
        """The task of an earlier run that this one is a clone of, or None."""
        row = self.row
        return f"{row.origin}/{row.computed_by.key}" if row.origin else None

    @property
    def current_attempt(self) -> int:
        """The number of the attempt that this view shows, counted from 0."""
        return self.row.attempt.number

    @property
    def attempts(self) -> list[Task]:
        """All attempts, first one first, each as a view of that attempt."""
        return [Task.of(self._run, row, row.attempt.number) for row in self._rows()]

    @property
    def exception(self) -> Failure | None:
        """What the step raised, or what `@catch` swallowed, as data; None if there is nothing."""
        row = self._computed
        return row.failure or row.caught

    @property
    def data(self) -> ArtifactValues:
        """The artifacts' values as attributes, with the run's parameters and constants."""
        return ArtifactValues(self.entries)

    @property
    def artifacts(self) -> Artifacts:
        """The artifacts as attributes that tell of themselves without being loaded."""
        return Artifacts(self.entries, self.__getitem__)

    @property
    def tables(self) -> tuple[TableUse, ...]:
        """The snapshots of tables that it read or wrote; none unless the attempt ended well."""
        outcome = self.row.outcome
        return self._workspace.store.manifest(outcome.manifest).tables if outcome else ()

    @property
    def entries(self) -> Entries:
        """The artifacts as manifests hold them; none unless the attempt ended well."""
        outcome = self.row.outcome
        manifests = (outcome.manifest, self._run.row.parameters) if outcome else ()
        return Entries(f"task `{self._pathspec}`", self._workspace.store, manifests)

    @property
    def stdout(self) -> str:
        """What the attempt printed; so far, if it still runs. Bytes not UTF-8 show as `�`.

        Where `@catch` stood in for an attempt whose process died, a view of the latest attempt has
        what that one printed.
        """
        return self._printed("stdout").decode(errors="replace")

    @property
    def stderr(self) -> str:
        """What the attempt printed to standard error, like `stdout`."""
        return self._printed("stderr").decode(errors="replace")

    @property
    def stdout_size(self) -> int:
        """Bytes printed to standard output."""
        return len(self._printed("stdout"))

    @property
    def stderr_size(self) -> int:
        """Bytes printed to standard error."""
        return len(self._printed("stderr"))

    def loglines(
        self, stream: Stream, as_unicode: bool = True
    ) -> Iterator[tuple[datetime, str | bytes]]:
        """Yield the lines of a stream, without their newlines, with the time of each in UTC.

        Raises:
            UsageError: there is no such stream.
        """
        if stream not in ("stdout", "stderr"):
            raise UsageError(
                f"there is no stream `{stream}`", hint="choose one of `stdout`, `stderr`"
            )
        return self._lines(stream, as_unicode)

    def _lines(self, stream: Stream, as_unicode: bool) -> Iterator[tuple[datetime, str | bytes]]:
        printed = (line for line in self._log() if line.stream == stream)
        for line in whole_lines(printed):
            text = line.text.removesuffix(b"\n")
            yield line.time, text.decode(errors="replace") if as_unicode else text

    @property
    def metadata_dict(self) -> dict[str, str]:
        """Facts about the attempt, by name, as text."""
        return facts_of(self._run.row, self.row, self._computed)

    @property
    def metadata(self) -> list[Metadatum]:
        """The same facts, each with its time and the task that it is about."""
        row = self._computed
        at = row.finished_at or row.started_at
        facts = self.metadata_dict.items()
        return [Metadatum(name, value, at, name, self) for name, value in facts]

    @property
    def runtime_name(self) -> str | None:
        """What drove the run, as its tag `runtime:` says: `local`."""
        names = [tag.partition(":")[2] for tag in self.system_tags if tag.startswith("runtime:")]
        return names[0] if names else None

    @property
    def environment_info(self) -> dict[str, str]:
        """What the task ran in: versions, host and user."""
        return environment_of(self._run.row)

    @property
    def code(self) -> None:
        """The code package of a task that ran elsewhere; tasks of this machine have none."""
        return None

    @property
    def parent_tasks(self) -> Iterator[Task]:
        """The tasks that handed over to this one: one, or many for a join."""
        found = kinship.parents(self._workspace.metadata, self._run.graph, self.row)
        return (Task.of(self._run, row) for row in found)

    @property
    def child_tasks(self) -> Iterator[Task]:
        """The tasks that this one handed over to, as far as they have begun."""
        found = kinship.children(self._workspace.metadata, self._run.graph, self.row)
        return (Task.of(self._run, row) for row in found)

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """The names of the parent tasks."""
        return (task.pathspec for task in self.parent_tasks)

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """The names of the child tasks."""
        return (task.pathspec for task in self.child_tasks)

    def __iter__(self) -> Iterator[Artifact]:
        return iter(self.artifacts)

    def __getitem__(self, name: str) -> Artifact:
        return Artifact.of(self, name)

    def __contains__(self, name: str) -> bool:
        return self.entries.find(name) is not None

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (Task, self._pathspec, self._pinned)

    def _identity(self) -> tuple[object, ...]:
        return (Task, self._pathspec, self._pinned)

    @property
    def _computed(self) -> AttemptRow:
        """The row of whoever ran the attempt: a clone's origin, if its run is still there."""
        row = self.row
        if row.origin is None:
            return row
        computed_by = row.computed_by
        for one in self._workspace.metadata.attempts(row.origin, computed_by.key):
            if one.attempt == computed_by:
                return one
        return row

    def _rows(self) -> list[AttemptRow]:
        return self._workspace.metadata.attempts(self._known.run, self._known.key)

    def _log(self) -> Iterator[Any]:
        row = self.row
        if self._pinned is not None:
            return read_log(self._workspace, row.computed_in, row.computed_by)
        return read_log(self._workspace, *printing_attempt(self._workspace, row))

    def _printed(self, stream: Stream) -> bytes:
        return b"".join(line.text for line in self._log() if line.stream == stream)


def _find(run: Run, step: str, task_id: str) -> TaskRow:
    note_own_attempt(run.workspace, run.row.run, step)
    metadata = run.workspace.metadata
    row = metadata.find_task(run.row.run, step, task_id)
    if row is not None:
        return row
    steps = {one.step: one for one in metadata.steps(run.row.run)}
    if step not in steps:
        raise missing_step(run.pathspec, step, steps)
    (last,) = metadata.tasks(run.row.run, step, limit=1, offset=steps[step].total - 1)
    raise NotFound(
        f"task `{run.pathspec}/{step}/{task_id}` does not exist",
        hint=f"the step's last task is `{run.pathspec}/{last.key}`",
    )
