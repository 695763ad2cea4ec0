"""The store: artifacts of tasks and records of runs, over one storage."""

from __future__ import annotations

from threading import Lock
from typing import Final

from msgspec import MsgspecError

from flowkit.errors import Corrupt, KeyMissing, StoreError
from flowkit.ports import Buffer, Storage
from flowkit.store.gate import Gate
from flowkit.store.hashing import Pieces
from flowkit.store.manifests import OpenManifest, decode_manifest, encode_manifest, objects_of
from flowkit.store.memory import gather
from flowkit.store.objects import Objects, Verify
from flowkit.store.opening import open_storage
from flowkit.store.runs import RunRecords
from flowkit.store.serializers import get_serializer
from flowkit.store.writer import Check, Look, ManifestWriter
from flowkit.values import ArtifactEntry, Digest, Manifest, Part

_MANIFESTS_MAX: Final = 16
_UNREADABLE: Final = (
    *(ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, OSError, MemoryError),
    *(StopIteration, MsgspecError),
)
"""What libraries raise that are given bytes which they did not write."""


class Store(RunRecords):
    """Everything that runs leave: objects, manifests and records, over any storage.

    Making one costs nothing; the store's format is checked at first use (StoreTooNew). A store
    may be used by several threads, and after a fork. `verify`: check the digests of mapped
    objects too (`always`), or only of what is fetched, and of maps that were touched (`fetched`).
    """

    def __init__(self, storage: Storage | Gate, *, verify: Verify = "fetched") -> None:
        gate = storage if isinstance(storage, Gate) else Gate(storage)
        super().__init__(gate)
        self.objects: Final = Objects(gate, verify=verify)
        self._manifests: dict[Digest, OpenManifest] = {}
        self._lock = Lock()

    @classmethod
    def open(cls, url: str, *, sync: bool = True, verify: Verify = "fetched") -> Store:
        """Open the store at a path or URL. Raises UsageError, PluginBroken."""
        return cls(open_storage(url, sync=sync), verify=verify)

    @property
    def storage(self) -> Storage:
        """The storage underneath, after a look at the store's format."""
        return self._gate.reading

    def despite_format(self) -> Store:
        """Return the same store as it reads whatever its format says: to look for damage in it."""
        return Store(self._gate.opened())

    def put(self, data: Buffer) -> Digest:
        """Store bytes as one object, unless they are stored; returns their digest.

        Raises StoreError if the storage fails.
        """
        return self.objects.put(Pieces([data]))

    def get(self, digest: Digest) -> memoryview:
        """Return an object's bytes as private, writable memory.

        Raises:
            KeyMissing: there is no such object.
            Corrupt: it is damaged.
        """
        return self.objects.get(digest)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest whose parts all name their digest. Raises KeyMissing, Corrupt."""
        return self._open_manifest(digest).resolved

    def refresh_manifest(self, digest: Digest) -> bool:
        """Keep a manifest and its objects from garbage collection; False if some are gone."""
        try:
            manifest = self.manifest(digest)
        except KeyMissing:
            return False
        return all(map(self.objects.refresh, {digest, *objects_of(manifest)}))

    def load(self, entry: ArtifactEntry) -> object:
        """Return the value of an artifact of a committed manifest.

        Raises:
            KeyMissing: some of its bytes are gone.
            Corrupt: some are damaged.
            StoreError: it needs a serializer or a module that is not there, or more memory.
        """
        serializer = get_serializer(entry.tag)
        head = bytes(self._view(entry.parts[0]))
        buffers = [self._private(part) for part in entry.parts[1:]]
        try:
            return serializer.load(head, buffers)
        except (ImportError, AttributeError) as error:
            raise StoreError(
                f"an artifact of type `{entry.type_name}` cannot be loaded: {error}",
                hint="load it where the code that made it can be imported",
            ) from error
        except _UNREADABLE as error:
            if entry.tag == "pickle":
                raise  # it comes from the code of the classes in it
            raise StoreError(
                f"an artifact of type `{entry.type_name}` is nothing that serializer "
                f"`{entry.tag}` reads: {error}",
                hint="run the task that made it again",
            ) from error

    def look_at(self, entry: ArtifactEntry) -> object:
        """Return the value of an artifact as far as no code of its own is run for it.

        JSON and bytes are what they are; of a pickle's objects there are stand-ins that print their
        class and what they are made of.

        Raises:
            ValueError: it is none of these.
            KeyMissing: some of its bytes are gone.
            Corrupt: some are damaged.
        """
        if entry.tag in ("json", "bytes"):
            return self.load(entry)
        if entry.tag != "pickle":
            raise ValueError(f"there is nothing to look at in a `{entry.tag}`")
        from flowkit.store.serializers.inert import read_inert

        return read_inert(bytes(self._view(entry.parts[0])))

    def load_element(self, manifest: Digest, index: int) -> object:
        """Return element `index` of the foreach that a manifest's task fanned out over.

        Raises:
            IndexError: there is no such element.
            KeyMissing, Corrupt, StoreError: as `load` does.
        """
        found = self._open_manifest(manifest).find_item(index)
        items = self.load(found[0]) if found else ()
        if not isinstance(items, list) or not found or found[1] >= len(items):
            raise IndexError(f"the foreach has no element {index}")
        return items[found[1]]

    def write_manifest(
        self,
        *,
        base: Manifest | None = None,
        check: Check | None = None,
        look: Look | None = None,
    ) -> ManifestWriter:
        """Start a manifest. Artifacts of `base` are compared with those of the same name.

        `check` is called with the name and each buffer of an artifact before any of it is stored;
        what it raises is passed on. `look` says of a pickle where the code of its classes is.
        """
        return ManifestWriter(self.objects, base, check, look)

    def put_manifest(self, manifest: Manifest) -> Digest:
        """Store a manifest that is made of entries of others; returns its digest."""
        return self.objects.put(Pieces(encode_manifest(manifest, ())))

    def _open_manifest(self, digest: Digest) -> OpenManifest:
        with self._lock:
            found = self._manifests.pop(digest, None)
            if found is not None:
                self._manifests[digest] = found  # now the last to go
                return found
        opened = decode_manifest(digest, self.objects.get_plain(digest))
        with self._lock:
            self._manifests[digest] = opened
            while len(self._manifests) > _MANIFESTS_MAX:
                del self._manifests[next(iter(self._manifests))]
        return opened

    def _view(self, part: Part) -> memoryview:
        """Return the bytes of a part; packed ones are shared with the cached manifest."""
        if part.digest is None:
            raise ValueError("the entry belongs to a manifest that is not committed yet")
        if part.packed_at is None:
            view = self.objects.get(part.digest, size_bytes=part.size_bytes)
        else:
            pack = self._open_manifest(part.digest).pack
            view = pack[part.packed_at : part.packed_at + part.size_bytes]
        if view.nbytes != part.size_bytes:
            raise Corrupt(f"object {part.digest}", f"it has no {part.size_bytes} bytes for a part")
        return view

    def _private(self, part: Part) -> memoryview:
        view = self._view(part)
        return view if part.packed_at is None else gather(view.nbytes, [view])


def element(store: Store, manifest: Digest, index: int) -> object:
    """Return what `Store.load_element` does."""
    return store.load_element(manifest, index)
