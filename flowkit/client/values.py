"""Artifacts as attributes: `task.data.x` is a value, `task.artifacts.x` an `Artifact`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowkit.client.views import not_found
from flowkit.errors import NotFound
from flowkit.values import ArtifactEntry, Digest

if TYPE_CHECKING:
    from flowkit.store import Store


class ArtifactMissing(NotFound, AttributeError):
    """A task has no artifact of that name; `hasattr` and `getattr` understand it too."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The artifacts of `owner`, in manifests that are read when they are needed, first one first.

    `only`: the names to show; None shows all.
    """

    owner: str
    store: Store
    manifests: tuple[Digest, ...]
    only: frozenset[str] | None = None

    def find(self, name: str) -> ArtifactEntry | None:
        """Return an entry, or None. The next manifest is read only if the one before lacks it."""
        if self.only is not None and name not in self.only:
            return None
        for digest in self.manifests:
            entry = self.store.manifest(digest).artifacts.get(name)
            if entry is not None:
                return entry
        return None

    def get(self, name: str) -> ArtifactEntry:
        """Return an entry. Raises ArtifactMissing."""
        entry = self.find(name)
        if entry is None:
            error = not_found(f"artifact `{name}` of {self.owner}", name, self.names())
            raise ArtifactMissing(error.message, hint=error.hint)
        return entry

    def names(self) -> list[str]:
        """Return all names, sorted."""
        found = {
            name for digest in self.manifests for name in self.store.manifest(digest).artifacts
        }
        return sorted(found if self.only is None else found & self.only)


class ArtifactValues:
    """Values of artifacts as attributes, each loaded when it is asked for, every time anew."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def __getattr__(self, name: str) -> Any:
        # Protocols such as copying and pickling ask for names of their own; no manifest has them.
        if name.startswith("__") or name == "_entries":
            raise AttributeError(name)
        return self._entries.store.load(self._entries.get(name))

    def __contains__(self, name: str) -> bool:
        return self._entries.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries.names())

    def __dir__(self) -> list[str]:
        return self._entries.names()

    def __repr__(self) -> str:
        return f"<values of {self._entries.owner}: {', '.join(self)}>"


class Artifacts:
    """Views of artifacts as attributes; iterating gives them in the order of their names."""

    def __init__(self, entries: Entries, view: Callable[[str], Any]) -> None:
        self._entries, self._view = entries, view

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_entries", "_view"):
            raise AttributeError(name)
        return self._view(name)

    def __contains__(self, name: str) -> bool:
        return self._entries.find(name) is not None

    def __iter__(self) -> Iterator[Any]:
        return map(self._view, self._entries.names())

    def __len__(self) -> int:
        return len(self._entries.names())

    def __dir__(self) -> list[str]:
        return self._entries.names()

    def __repr__(self) -> str:
        return f"<artifacts of {self._entries.owner}: {', '.join(self._entries.names())}>"
