"""Values of artifacts for whoever looks at them; one that makes trouble does so for itself only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING, TypeVar

from flowkit.cli.machine import plain_value
from flowkit.cli.text import human_size, one_line, visible
from flowkit.errors import FlowkitError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from flowkit.store import Store
    from flowkit.values import ArtifactEntry, RunId

_LONGEST_REASON = 300
_SHOWN_TAGS = ("json", "bytes", "pickle")
"""What can be looked at without running code."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a value cannot be loaded, printed or pickled, in one line."""

    reason: str


class ArtifactReader:
    """Loads artifacts, and says what they are; what a value's own code raises ends nothing.

    `file` is the flow file of the run that they are of. `runs_code`: values may do so while they
    are loaded. Otherwise objects of classes are shown by stand-ins, and others by their type alone.
    """

    def __init__(self, store: Store, file: str = "", *, runs_code: bool = True) -> None:
        self._store, self._file = store, file
        self._load = store.load if runs_code else store.look_at
        self._shows = None if runs_code else _SHOWN_TAGS

    def text(self, entry: ArtifactEntry, *, limit: int, width: int | None = None) -> str:
        """Write a value as Python does; one of more than `limit` bytes by type and size only.

        With `width`, it is one line of so many characters at most.
        """
        about = f"{entry.type_name}, {human_size(entry.size_bytes)}"
        if entry.size_bytes > limit or not self._may_load(entry):
            return f"<{one_line(about)}>"
        told = self._read(entry, repr, "cannot be printed")
        if isinstance(told, Unusable):
            return f"<{one_line(about)}: {told.reason}>"
        # A terminal obeys what it is sent, and what is loaded may come from anywhere.
        return visible(told) if width is None else one_line(told, width)

    def document(self, entry: ArtifactEntry, *, limit: int) -> dict[str, object]:
        """Describe an artifact for `--json`, with its value if that has `limit` bytes at most.

        What JSON can hold exactly is `value`; of all else, `text` is what Python writes. What can
        be neither has an `error` instead.
        """
        about: dict[str, object] = {
            "type": entry.type_name,
            "size_bytes": entry.size_bytes,
            "digest": entry.digest.hex(),
        }
        if not 0 < entry.size_bytes <= limit or not self._may_load(entry):
            return about
        told = self._read(entry, plain_value, "cannot be printed")
        return about | ({"error": told.reason} if isinstance(told, Unusable) else told)

    def pickled(self, entry: ArtifactEntry) -> bytes | Unusable:
        """Pickle a value by itself, such that plain `pickle.loads` reads it."""

        def dumps(value: object) -> bytes:
            import cloudpickle

            with _by_value(self._file):
                data: bytes = cloudpickle.dumps(value)
            return data

        return self._read(entry, dumps, "cannot be pickled")

    def _may_load(self, entry: ArtifactEntry) -> bool:
        return self._shows is None or entry.tag in self._shows

    def _read(
        self, entry: ArtifactEntry, use: Callable[[object], Answer], refusal: str
    ) -> Answer | Unusable:
        stage = "cannot be loaded here"
        try:
            # What importing a flow or printing a value says must not stand among the data.
            with redirect_stdout(sys.stderr):
                value = self._load(entry)
                stage = refusal
                return use(value)
        except (Exception, SystemExit) as error:  # loading and printing run code of the user's
            return Unusable(one_line(f"{stage}: {_reason(error)}", _LONGEST_REASON))


@contextmanager
def open_artifacts(store: Store, run: RunId) -> Iterator[ArtifactReader]:
    """Open a reader of a run's artifacts.

    While it is open, modules are found that the run's tasks could import: the flow file, under the
    name that it has in workers, and those beside it. Modules of the same name that are found
    without it go first.
    """
    file = os.path.abspath(store.run_record(run).description.file)
    folder, finder = os.path.dirname(file), _FlowFileFinder(file)
    is_new = folder not in sys.path
    if is_new:
        sys.path.append(folder)
    sys.meta_path.append(finder)
    try:
        yield ArtifactReader(store, file)
    finally:
        sys.meta_path.remove(finder)
        if is_new:
            sys.path.remove(folder)


@contextmanager
def _by_value(file: str) -> Iterator[None]:
    """Let pickles hold a flow file's own classes where nobody else can import them.

    That is so for files such as `random.py`, which workers import under another name.
    """
    import cloudpickle

    from flowkit.worker import module_name

    name = module_name(file)
    module = sys.modules.get(name) if name != _stem(file) else None
    if module is None:
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


class _FlowFileFinder(MetaPathFinder):
    """Finds a flow file under the name that workers import it by, such as `flow_random`."""

    def __init__(self, file: str) -> None:
        self._file = file

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return how to load the flow file, or None for any other module."""
        # Few values need the flow's module, and whoever knows its name takes a while to load.
        if fullname != _stem(self._file) and not fullname.startswith("flow_"):
            return None
        from flowkit.worker import module_name

        if fullname != module_name(self._file) or not os.path.isfile(self._file):
            return None
        return spec_from_file_location(fullname, self._file)


def _stem(file: str) -> str:
    return os.path.splitext(os.path.basename(file))[0]


def _reason(error: BaseException) -> str:
    from flowkit.worker import failure_of

    if isinstance(error, StoreError) and isinstance(error.__cause__, ImportError | AttributeError):
        # The store's error says first that and what could not be loaded, which is known here.
        error = error.__cause__
    if isinstance(error, SystemExit):
        return "sys.exit was called"
    failure = failure_of(error)
    if isinstance(error, FlowkitError):
        return failure.message
    return f"{failure.type_name}: {failure.message}"
