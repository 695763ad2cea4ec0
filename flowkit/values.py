"""The frozen values that rooms hand to one another.

Each is plain data: no file, no clock, no process. Those that cross a process or a disk are
encoded by `flowkit.wire`. Those that a wide run has by the hundred thousand are hidden from the
garbage collector (`gc=False`), which would look at all of them again and again: they hold nothing
that could lead back to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, overload

from msgspec import Struct, field


class Digest(bytes):
    """BLAKE3-256 of some bytes: 32 bytes that name them.

    `str()` shortens to 12 hex digits for people; `hex()` gives all 64 for machines.
    """

    __slots__ = ()
    SIZE = 32

    def __new__(cls, raw: bytes) -> Digest:
        """Take exactly 32 bytes. Raises ValueError."""
        if len(raw) != cls.SIZE:
            raise ValueError(f"a digest has {cls.SIZE} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read 64 hex digits. Raises ValueError for anything else."""
        raw = bytes.fromhex(text)
        if len(text) != 2 * cls.SIZE or len(raw) != cls.SIZE:  # spaces between digits are read too
            raise ValueError(f"a digest has {2 * cls.SIZE} hex digits, not {len(text)}")
        # Straight past `__new__`, which would look again: indexes hold them by the ten thousand.
        return super().__new__(cls, raw)

    def __str__(self) -> str:
        return self.hex()[:12]

    def __repr__(self) -> str:
        return f"Digest({self.hex()[:12]}…)"


class Digests(Sequence[Digest]):
    """Many digests in one run of bytes: 32 bytes each and nothing more.

    A join of 100,000 inputs keeps 3.2 MB instead of 100,000 objects.
    """

    __slots__ = ("_raw",)

    def __init__(self, digests: Iterable[Digest] | bytes = b"") -> None:
        raw = digests if isinstance(digests, bytes) else b"".join(digests)
        if len(raw) % Digest.SIZE:
            raise ValueError(f"{len(raw)} bytes are not whole digests")
        self._raw = raw

    @property
    def raw(self) -> bytes:
        """All digests, one after the other."""
        return self._raw

    def __len__(self) -> int:
        return len(self._raw) // Digest.SIZE

    @overload
    def __getitem__(self, index: int) -> Digest: ...
    @overload
    def __getitem__(self, index: slice) -> Digests: ...
    def __getitem__(self, index: int | slice) -> Digest | Digests:
        if isinstance(index, slice):
            return Digests(self[at] for at in range(*index.indices(len(self))))
        at = range(len(self))[index] * Digest.SIZE
        return Digest(self._raw[at : at + Digest.SIZE])

    def __iter__(self) -> Iterator[Digest]:
        for at in range(0, len(self._raw), Digest.SIZE):
            yield Digest(self._raw[at : at + Digest.SIZE])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digests) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"Digests({len(self)})"


class RunId(Struct, frozen=True, order=True, gc=False):
    """One run of a flow; prints as its pathspec `Flow/12`."""

    flow: str
    id: str

    def __str__(self) -> str:
        return f"{self.flow}/{self.id}"


class TaskKey(Struct, frozen=True, order=True, gc=False):
    """Which execution of a step: the same key in every run of the flow.

    `path` has one index per open foreach, outermost first; `iteration` counts the turns of a
    step that switches to itself.

    >>> TaskKey("train", (3, 1)).task_id, TaskKey("start").task_id, TaskKey("loop", (), 2).task_id
    ('3.1', '0', '0@2')
    """

    step: str
    path: tuple[int, ...] = ()
    iteration: int = 0

    @property
    def task_id(self) -> str:
        """The index path as text, unique within the step and the run."""
        text = ".".join(map(str, self.path)) or "0"
        return f"{text}@{self.iteration}" if self.iteration else text

    @classmethod
    def parse(cls, step: str, task_id: str, *, depth: int) -> TaskKey:
        """Read a task id back. `depth`: the number of foreaches open at the step.

        Raises ValueError if the text is no task id of that depth.

        >>> TaskKey.parse("train", "3.1@2", depth=2)
        TaskKey(step='train', path=(3, 1), iteration=2)
        """
        indexes, at, turns = task_id.partition("@")
        if not all(part.isdecimal() for part in indexes.split(".")) or (
            at and not turns.isdecimal()
        ):
            raise ValueError(f"`{task_id}` is not a task id")
        path = tuple(map(int, indexes.split("."))) if depth else ()
        key = cls(step, path, int(turns or 0))
        if len(path) != depth or key.task_id != task_id:
            raise ValueError(f"`{task_id}` is not a task id of {depth} indexes")
        return key

    def __str__(self) -> str:
        return f"{self.step}/{self.task_id}"


class Attempt(Struct, frozen=True, order=True, gc=False):
    """One try at a task; numbered from 0 within its key."""

    key: TaskKey
    number: int = 0

    def __str__(self) -> str:
        return f"{self.key} (attempt {self.number})"


class Part(Struct, frozen=True, gc=False):
    """Where some bytes of an artifact are.

    `packed_at` is None: they are the object named `digest`, whole. Otherwise they start at that
    byte of the pack of the manifest named `digest`; `digest` None means the manifest that this
    part is written in.
    """

    digest: Digest | None
    size_bytes: int
    packed_at: int | None = None


Behaviour = Literal["", "project", "lazy"]
"""`project`: in the flow's project. `lazy`: there too, but in a module that a step has imported."""
BEHAVIOURS: Final[tuple[Behaviour, ...]] = ("lazy", "project", "")
"""The less that is known, the earlier."""


class ArtifactEntry(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One artifact in a manifest: how to load it, and its identity.

    `digest` covers the serializer's tag and the contents of all parts, wherever they lie: equal
    digests mean equal artifacts. `parts[0]` is the serializer's head, the others its buffers.
    `behaviour`: where the code of the classes in it is, which the digest does not cover.
    """

    tag: str
    type_name: str
    digest: Digest
    parts: tuple[Part, ...]
    behaviour: Behaviour = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of the serialized value, before compression."""
        return sum(part.size_bytes for part in self.parts)


class TableUse(Struct, frozen=True, order=True, kw_only=True):
    """That a task read a snapshot of a table, or wrote it."""

    table: str
    catalog: str
    snapshot: int
    how: Literal["read", "written"]


class Manifest(Struct, frozen=True, kw_only=True):
    """What a task leaves: artifact names to entries, and the items of its foreach, if any.

    `items` are blocks of `items_per_block` elements each (the last may be shorter), so that a
    child loads only the block with its own element; `item_digests` is an artifact of bytes, the
    digest of each element as if it were an artifact itself. `tables` are snapshots that the task
    has read or written: a clone of the task has its manifest, and so tells of them too.

    `own` are the artifacts that the task itself has set, `dropped` those of its input that it has
    deleted; the others are its input's. `own` is None in manifests that do not tell.
    """

    artifacts: Mapping[str, ArtifactEntry] = field(default_factory=dict)
    items: tuple[ArtifactEntry, ...] = ()
    items_per_block: int = 0
    item_digests: ArtifactEntry | None = None
    own: tuple[str, ...] | None = None
    dropped: tuple[str, ...] = ()
    tables: tuple[TableUse, ...] = ()


class Failure(Struct, frozen=True, kw_only=True):
    """A failure as data: what crosses between processes instead of an exception.

    `where` is `file:line` in the user's own code, if it is known. `exit_code`: that of a command
    which ends because of it.
    """

    type_name: str
    message: str
    hint: str | None = None
    traceback: str = ""
    where: str | None = None
    retryable: bool = True
    exit_code: int = 1


class Frame(Struct, frozen=True, gc=False):
    """One open foreach around a task: which element of how many, and who holds the elements.

    `items` is the manifest of the task that fanned out.
    """

    step: str
    index: int
    width: int
    items: Digest


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """How a task that succeeded goes on: its manifest, and what it decided.

    `width`: the number of elements, if the step is a foreach. `choice`: the step chosen, if it
    is a switch.
    """

    manifest: Digest
    width: int | None = None
    choice: str | None = None


class Fingerprint(Struct, frozen=True, kw_only=True):
    """What a task depends on, as far as it can be known before the task runs.

    Tasks of one step with the same `digest` come to the same. `components` say what it is made
    of: names such as `code` or `parameter:alpha`, each with 32 hex digits of a digest.
    """

    digest: Digest
    components: Mapping[str, str]


class StoreAddress(Struct, frozen=True, kw_only=True):
    """Where a store is, and how to write to it and read from it.

    `sync`: what is committed is on the disk before it counts. `verify`: check the digests of
    mapped objects too (`always`), or of fetched ones only.
    """

    url: str
    sync: bool = True
    verify: Literal["fetched", "always"] = "fetched"

    @property
    def kind(self) -> str:
        """What sort of store it is: the URL's scheme, and `local` for a folder."""
        scheme, separator, _ = self.url.partition("://")
        return scheme if separator and scheme != "file" else "local"


class LoadOptions(Struct, frozen=True, kw_only=True):
    """What the reading of a flow depends on besides its file.

    By name, `config_files` are paths and `config_values` texts that a command line gives; `kept`
    are values of an earlier reading, as JSON, or None where there was none. They win. `specs` are
    `--with` options.
    """

    user: str = ""
    ds_type: str = "local"
    config_files: Mapping[str, str] = field(default_factory=dict)
    config_values: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str | None] = field(default_factory=dict)
    specs: tuple[str, ...] = ()


class ProjectBranch(Struct, frozen=True):
    """The branch of a project that a run is in: `prod`, `prod.x`, `test.x` or `user.NAME`.

    >>> ProjectBranch("fraud", "test.idea").flow_name("Train")
    'fraud.test.idea.Train'
    """

    project: str
    branch: str

    @property
    def is_production(self) -> bool:
        """Whether it is the production branch, or one of its variants."""
        return self.branch.split(".", 1)[0] == "prod"

    @property
    def is_user_branch(self) -> bool:
        """Whether it is some user's own branch."""
        return self.branch.startswith("user.")

    def flow_name(self, flow: str) -> str:
        """Return the name of a flow that no other branch or project has."""
        return f"{self.project}.{self.branch}.{flow}"


class TaskSpec(Struct, frozen=True, kw_only=True):
    """All that a worker needs to run one attempt: no pickles, no secrets."""

    run: RunId
    attempt: Attempt
    flow_file: str
    store: StoreAddress
    parameters: Digest
    inputs: Digests
    input_steps: tuple[str, ...]
    """Step names of the inputs: one for all of them, or one each."""
    frames: tuple[Frame, ...] = ()
    joined: Frame | None = None
    """The foreach that a join closes, with index 0; None for other steps and joined branches."""
    last_attempt: bool = True
    """No retry will follow, so `@catch` applies to what this attempt raises."""
    fallback: Failure | None = None
    """Set when a process died and `@catch` stands in for it: no user code runs."""
    base: Digest | None = None
    """The manifest of the same task in an earlier run, to store only what changed."""
    origin_run: str | None = None
    namespace: str | None = None
    user: str = ""
    tags: tuple[str, ...] = ()
    max_num_splits: int | None = None
    project: ProjectBranch | None = None
    triggers: tuple[RunId, ...] = ()
    """The runs whose end started this one."""
    skip_decorators: bool = False
    """The step is called as if no decorator stood above it but `@step`."""


Status = Literal["succeeded", "failed"]


class TaskResult(Struct, frozen=True, kw_only=True):
    """How an attempt ended. Created once, it is the truth about the attempt.

    `caught`: what `@catch` swallowed. `fingerprint`: what the task depends on, None where that is
    not known. Times are UTC-aware; `cpu_s` is seconds of CPU used by the
    attempt's process, `peak_memory_bytes` its largest resident size.
    """

    attempt: Attempt
    status: Status
    started_at: datetime
    finished_at: datetime
    outcome: Outcome | None = None
    failure: Failure | None = None
    caught: Failure | None = None
    host: str = ""
    pid: int = 0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    fingerprint: Fingerprint | None = None
