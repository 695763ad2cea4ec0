"""Writing one manifest: values in, parts packed or stored, one object out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from blake3 import blake3

from flowkit.ports import Buffer
from flowkit.store.errors import UnpicklableArtifact
from flowkit.store.hashing import Pieces
from flowkit.store.manifests import encode_manifest
from flowkit.store.objects import Objects
from flowkit.store.recipes import RECIPE_FROM_BYTES
from flowkit.store.serializers import CANNOT_PICKLE, find_culprit, find_serializer
from flowkit.values import ArtifactEntry, Behaviour, Digest, Manifest, Part, TableUse

Check = Callable[[str, memoryview], None]
"""Told the name and the bytes of an artifact before they are stored; may raise."""

Look = Callable[[bytes], Behaviour]
"""Told a pickle; returns where the code of the classes in it is."""

ITEMS_PER_BLOCK: Final = 256

_PACK_BELOW: Final = 16 << 10
_PACK_MAX: Final = 1 << 20
_ALWAYS_PACK: Final = 1 << 10
_SIZE: Final = struct.Struct("<Q")


class ManifestWriter:
    """Collects what a task leaves. Large buffers are stored at once, the rest by `commit`."""

    def __init__(
        self,
        objects: Objects,
        base: Manifest | None,
        check: Check | None = None,
        look: Look | None = None,
    ) -> None:
        self._objects = objects
        self._base = base
        self._check, self._look = check, look
        self._artifacts: dict[str, ArtifactEntry] = {}
        self._items: list[ArtifactEntry] = []
        self._item_digests: list[Digest] = []
        self._own: set[str] = set()
        self._pack: list[bytes] = []
        self._pack_size = 0
        self._packed: dict[bytes, int] = {}

    def add(self, name: str, value: object) -> ArtifactEntry:
        """Save a value as the artifact `name`; an earlier one of that name is replaced.

        Parts that are packed have no digest in the returned entry: they belong to the manifest
        that is being written.

        Raises:
            UnpicklableArtifact: nothing can save the value.
            StoreError: the storage failed.
        """
        bases = _large(self._base.artifacts.get(name)) if self._base else ()
        entry = self._entry(name, value, bases)
        self._artifacts[name] = entry
        self._own.add(name)
        return entry

    @property
    def names(self) -> Collection[str]:
        """The artifacts that there are so far."""
        return self._artifacts.keys()

    def inherit(self, name: str, entry: ArtifactEntry) -> None:
        """Take over an artifact from another manifest: its name moves, its bytes stay."""
        self._artifacts[name] = entry
        self._own.discard(name)

    def add_items(self, items: Iterable[object]) -> int:
        """Save the elements of a foreach in blocks; returns how many there are.

        Raises what `add` raises.
        """
        iterator = iter(items)
        count = 0
        while block := list(islice(iterator, ITEMS_PER_BLOCK)):
            name = f"foreach[{count}:{count + len(block)}]"
            bases = _large(self._base_items(count // ITEMS_PER_BLOCK))
            self._items.append(self._entry(name, block, bases))
            self._item_digests += map(identity_of, block)
            count += len(block)
        return count

    def commit(self, *, tables: Iterable[TableUse] = (), dropped: Iterable[str] = ()) -> Digest:
        """Store the manifest, after all that it names; returns its digest.

        `tables` are the snapshots that the task has read or written, `dropped` the artifacts of
        its input that it has deleted.
        """
        digests = None
        if self._item_digests:
            digests = self._entry("foreach digests", b"".join(self._item_digests), ())
        manifest = Manifest(
            artifacts=self._artifacts,
            items=tuple(self._items),
            items_per_block=ITEMS_PER_BLOCK if self._items else 0,
            item_digests=digests,
            own=tuple(sorted(self._own)),
            dropped=tuple(sorted(dropped)),
            tables=tuple(sorted(tables)),
        )
        return self._objects.put(Pieces(encode_manifest(manifest, self._pack)))

    def _base_items(self, block: int) -> ArtifactEntry | None:
        items = self._base.items if self._base else ()
        return items[block] if block < len(items) else None

    def _entry(self, name: str, value: object, bases: Sequence[Digest]) -> ArtifactEntry:
        kind = type(value)
        type_name = kind.__qualname__
        if kind.__module__ != "builtins":
            type_name = f"{kind.__module__}.{type_name}"
        serializer = find_serializer(value)
        try:
            head, buffers = serializer.dump(value)
        except CANNOT_PICKLE as error:
            raise UnpicklableArtifact(
                name, type_name=type_name, reason=str(error), path=find_culprit(value)
            ) from error
        if self._check is not None:
            for data in (head, *buffers):
                for view in Pieces.of(data).views:
                    self._check(name, view)
        identity = [b"flowkit artifact 1\n", serializer.tag.encode(), b"\n"]
        parts = [self._part(head, identity, bases, mapped=False)]
        for buffer in buffers:
            parts.append(self._part(buffer, identity, bases, mapped=True))
        return ArtifactEntry(
            tag=serializer.tag,
            type_name=type_name,
            digest=Digest(blake3(b"".join(identity)).digest()),
            parts=tuple(parts),
            behaviour=self._look(head) if self._look and serializer.tag == "pickle" else "",
        )

    def _part(
        self,
        data: Buffer | Sequence[Buffer],
        identity: list[bytes],
        bases: Sequence[Digest],
        *,
        mapped: bool,
    ) -> Part:
        """Pack or store one part, and add it to the artifact's identity."""
        small: bytes | None
        if type(data) is bytes and len(data) < _PACK_BELOW:
            # Nearly all parts of most tasks: no piece is made of what is whole already.
            small, digest, size = data, blake3(data).digest(), len(data)
        else:
            pieces = Pieces.of(data)
            size = pieces.size_bytes
            small = pieces.joined() if size < _PACK_BELOW else None
            digest = self._objects.find_digest(pieces) or pieces.digest()
        identity += (_SIZE.pack(size), digest)
        if small is not None and (size <= _ALWAYS_PACK or self._pack_size < _PACK_MAX):
            return Part(None, size, self._packed_at(small, digest))
        stored = self._objects.put(
            Pieces.of(data), digest=Digest(digest), mapped=mapped, bases=bases
        )
        return Part(stored, size)

    def _packed_at(self, data: bytes, digest: bytes) -> int:
        """Return where in the pack some bytes are, after adding them if they are not."""
        at = self._packed.get(digest)
        if at is None:
            at = self._packed[digest] = self._pack_size
            self._pack.append(data)
            self._pack_size += len(data)
        return at


def identity_of(value: object) -> Digest:
    """Return the digest that a value would have as an artifact; nothing is stored."""
    serializer = find_serializer(value)
    head, buffers = serializer.dump(value)
    identity = [b"flowkit artifact 1\n", serializer.tag.encode(), b"\n"]
    for data in (head, *buffers):
        if type(data) is bytes:
            identity += (_SIZE.pack(len(data)), blake3(data).digest())
        else:
            pieces = Pieces.of(data)
            identity += (_SIZE.pack(pieces.size_bytes), pieces.digest())
    return Digest(blake3(b"".join(identity)).digest())


def _large(entry: ArtifactEntry | None) -> Sequence[Digest]:
    """Return the objects of an artifact that are worth comparing new bytes with."""
    parts = entry.parts if entry else ()
    return [
        part.digest
        for part in parts
        if part.digest and part.packed_at is None and part.size_bytes >= RECIPE_FROM_BYTES
    ]
