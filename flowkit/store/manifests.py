"""Manifests as bytes, with the pack of small parts behind the JSON.

`docs/format/manifests.md` is the definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Final

from flowkit import wire
from flowkit.errors import Corrupt
from flowkit.store.plausible import check_manifest
from flowkit.values import ArtifactEntry, Digest, Manifest, Part

_HEAD: Final = re.compile(rb"flowkit manifest 1 ([0-9]{12})\n")
_HEAD_BYTES: Final = 32
_ALIGNMENT: Final = 64


class OpenManifest:
    """A manifest as it was read, with its pack. Parts of its own get its digest when asked for."""

    def __init__(self, digest: Digest, manifest: Manifest, pack: memoryview) -> None:
        self.pack = pack
        self._digest = digest
        self._manifest = manifest

    @cached_property
    def resolved(self) -> Manifest:
        """The manifest; all its parts name their digest."""
        entries, digests = self._manifest.artifacts.items(), self._manifest.item_digests
        return Manifest(
            artifacts={name: _resolve(entry, self._digest) for name, entry in entries},
            items=tuple(_resolve(entry, self._digest) for entry in self._manifest.items),
            items_per_block=self._manifest.items_per_block,
            item_digests=_resolve(digests, self._digest) if digests else None,
            own=self._manifest.own,
            dropped=self._manifest.dropped,
            tables=self._manifest.tables,
        )

    def find_item(self, index: int) -> tuple[ArtifactEntry, int] | None:
        """Return the block that holds an element of the foreach, and its place in there.

        A child of a wide foreach asks for one of hundreds of blocks.
        """
        block, at = divmod(index, self._manifest.items_per_block or 1)
        if index < 0 or block >= len(self._manifest.items):
            return None
        return _resolve(self._manifest.items[block], self._digest), at


def encode_manifest(manifest: Manifest, pack: Iterable[bytes]) -> list[bytes]:
    """Return the pieces of a manifest's object; parts of its own have digest None."""
    text = wire.encode(manifest)
    padding = bytes(-(_HEAD_BYTES + len(text)) % _ALIGNMENT)
    return [b"flowkit manifest 1 %012d\n" % len(text), text, padding, b"".join(pack)]


def decode_manifest(digest: Digest, data: memoryview) -> OpenManifest:
    """Read a manifest's object, which was verified. Raises Corrupt if it is no manifest."""
    name = f"manifest {digest}"
    head = _HEAD.fullmatch(data[:_HEAD_BYTES])
    if head is None:
        raise Corrupt(name, "it does not start as a manifest does")
    end = _HEAD_BYTES + int(head[1])
    manifest = wire.decode(Manifest, data[_HEAD_BYTES:end], name=name)
    pack = data[end + -end % _ALIGNMENT :]
    try:
        check_manifest(manifest, pack.nbytes)
    except ValueError as error:
        raise Corrupt(name, str(error)) from error
    return OpenManifest(digest, manifest, pack)


def objects_of(manifest: Manifest) -> set[Digest]:
    """Return the objects that a manifest's parts lie in."""
    entries = [*manifest.artifacts.values(), *manifest.items]
    if manifest.item_digests is not None:
        entries.append(manifest.item_digests)
    return {part.digest for entry in entries for part in entry.parts if part.digest}


def _resolve(entry: ArtifactEntry, digest: Digest) -> ArtifactEntry:
    if all(part.digest is not None for part in entry.parts):
        return entry
    parts = tuple(
        part if part.digest is not None else Part(digest, part.size_bytes, part.packed_at)
        for part in entry.parts
    )
    return ArtifactEntry(
        tag=entry.tag,
        type_name=entry.type_name,
        digest=entry.digest,
        parts=parts,
        behaviour=entry.behaviour,
    )
