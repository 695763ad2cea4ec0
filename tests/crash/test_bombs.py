"""Few stored bytes that stand for very many: refused, or gone through in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
import zstandard
from blake3 import blake3

import flowkit
from flowkit import wire
from flowkit.errors import Corrupt, StoreError
from flowkit.store import Store
from flowkit.store.envelope import seal_record
from flowkit.store.keys import compressed_key, recipe_key
from flowkit.store.recipes import Extent, Recipe
from flowkit.values import ArtifactEntry, Digest, Manifest, Part

GIB = 1 << 30
PIECE = bytes(1 << 20)
DIGEST = Digest(bytes(range(32)))
NO_ROWS = bytes(pyarrow.schema([("a", pyarrow.int64())]).serialize())
LIMITED = """
import resource, sys
from flowkit.store import Store, verify_store
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for damage in verify_store(Store.open(sys.argv[1])):
    print(damage.key, damage.reason)
"""


def pack(size: int, *, stated: int | None = None) -> bytes:
    """Return a frame of zeros; `stated` is what it says to hold."""
    packer = zstandard.ZstdCompressor(write_content_size=True).compressobj(size=size)
    frame = b"".join([*(packer.compress(PIECE) for _ in range(size // len(PIECE))), packer.flush()])
    if stated is None:
        return frame
    # The size is in the eight bytes behind the mark and the descriptor; one segment, no checksum.
    return frame[:4] + b"\xe0" + stated.to_bytes(8, "little") + frame[9:]


def digest_of_zeros(size: int) -> Digest:
    hasher = blake3()
    for _ in range(size // len(PIECE)):
        hasher.update(PIECE)
    return Digest(hasher.digest())


def verify_in_little_memory(root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(root)],
        env={"PYTHONPATH": str(Path(flowkit.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "store"), sync=False)


def test_a_gigabyte_in_a_few_bytes_is_verified_in_less_memory(store: Store, tmp_path: Path) -> None:
    digest = digest_of_zeros(GIB)
    frame = pack(GIB)
    assert len(frame) < 200_000
    store.storage.create(compressed_key(digest), frame)
    store.storage.create(compressed_key(DIGEST), frame)
    found = verify_in_little_memory(tmp_path / "store")
    assert compressed_key(DIGEST) in found
    assert compressed_key(digest) not in found


def test_an_object_is_not_unpacked_to_more_than_its_artifact_has(store: Store) -> None:
    digest = digest_of_zeros(64 << 20)
    store.storage.create(compressed_key(digest), pack(64 << 20))
    entry = ArtifactEntry(tag="bytes", type_name="bytes", digest=DIGEST, parts=(Part(digest, 5),))
    with pytest.raises(Corrupt, match="is of 67108864 bytes and not of 5"):
        store.load(entry)


@pytest.mark.parametrize("stated", [GIB + 1, 1 << 40, (1 << 64) - 1])
def test_a_frame_that_states_more_than_can_be_is_refused(store: Store, stated: int) -> None:
    store.storage.create(compressed_key(DIGEST), pack(1 << 20, stated=stated))
    with pytest.raises(Corrupt, match="states no usable size"):
        store.get(DIGEST)


@pytest.mark.parametrize("size", [1 << 40, 1 << 62, 10**30])
def test_a_recipe_that_asks_for_more_than_there_is_is_refused(store: Store, size: int) -> None:
    plain = store.put(b"plain")
    key = recipe_key(DIGEST)
    recipe = Recipe((Extent(plain, 0, size),), size)
    store.storage.create(key, *seal_record("recipe", wire.encode(recipe), key=key))
    with pytest.raises(StoreError):
        store.get(DIGEST)
    with pytest.raises(Corrupt, match="not inside of object"):
        store.objects.verify(key, DIGEST)
    entry = ArtifactEntry(tag="bytes", type_name="bytes", digest=DIGEST, parts=(Part(DIGEST, 5),))
    with pytest.raises(Corrupt, match="is not of 5 bytes"):
        store.load(entry)


def test_a_recipe_of_the_same_bytes_many_times_is_verified_in_less_memory(
    store: Store, tmp_path: Path
) -> None:
    plain = digest_of_zeros(32 << 20)
    store.storage.create(compressed_key(plain), pack(32 << 20))
    size = 64 * (32 << 20)
    digest = digest_of_zeros(size)
    key = recipe_key(digest)
    recipe = Recipe((Extent(plain, 0, 32 << 20),) * 64, size)
    store.storage.create(key, *seal_record("recipe", wire.encode(recipe), key=key))
    assert key not in verify_in_little_memory(tmp_path / "store")


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (Part(None, 5),),
        (Part(None, 5, -1),),
        (Part(None, 5, 100),),
        (Part(DIGEST, -5, 0),),
        (Part(DIGEST, 1 << 60),),
    ],
)
def test_a_manifest_with_impossible_parts_is_damaged(store: Store, parts: tuple[Part, ...]) -> None:
    entry = ArtifactEntry(tag="json", type_name="int", digest=DIGEST, parts=parts)
    digest = store.put_manifest(Manifest(artifacts={"x": entry}))
    with pytest.raises(Corrupt):
        store.manifest(digest)


@pytest.mark.parametrize(
    ("tag", "head", "buffer"),
    [
        ("numpy", b'{"dtype": "|O", "order": "C", "shape": [1]}', bytes(8)),
        ("numpy", b'{"dtype": "<i4", "order": "C", "shape": [1000000000000]}', bytes(8)),
        ("numpy", b"{}", b""),
        ("arrow", b'{"kind": "array"}', NO_ROWS),
        ("arrow", b"[]", b""),
        ("pandas", b'{"kind": "frame", "objects": ["x"]}', NO_ROWS),
        ("json", b"[" * 100_000, b""),
    ],
)
def test_what_no_serializer_wrote_is_told_so(
    store: Store, tag: str, head: bytes, buffer: bytes
) -> None:
    parts = tuple(Part(store.put(one), len(one)) for one in (head, buffer))
    entry = ArtifactEntry(tag=tag, type_name="x", digest=DIGEST, parts=parts)
    with pytest.raises(StoreError, match=f"is nothing that serializer `{tag}` reads"):
        store.load(entry)
