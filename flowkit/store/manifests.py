"""Manifests as bytes, with the pack of small parts behind the JSON.

`docs/format/manifests.md` is the definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flowkit import wire
from flowkit.errors import Corrupt
from flowkit.values import ArtifactEntry, Digest, Manifest, Part

_HEAD: Final = re.compile(rb"flowkit manifest 1 ([0-9]{12})\n")
_HEAD_BYTES: Final = 32
_ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class OpenManifest:
    """A manifest whose parts all name their digest, and its pack."""

    manifest: Manifest
    pack: memoryview


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
    resolved = Manifest(
        artifacts={key: _resolve(entry, digest) for key, entry in manifest.artifacts.items()},
        items=tuple(_resolve(entry, digest) for entry in manifest.items),
        items_per_block=manifest.items_per_block,
    )
    return OpenManifest(resolved, pack)


def _resolve(entry: ArtifactEntry, digest: Digest) -> ArtifactEntry:
    if all(part.digest is not None for part in entry.parts):
        return entry
    parts = tuple(
        part if part.digest is not None else Part(digest, part.size_bytes, part.packed_at)
        for part in entry.parts
    )
    return ArtifactEntry(tag=entry.tag, type_name=entry.type_name, digest=entry.digest, parts=parts)
