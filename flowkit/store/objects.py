"""Objects: bytes under their digest, whichever way they are stored.

`docs/format/objects.md` and `docs/format/recipes.md` are the definition.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal
from weakref import WeakKeyDictionary

from blake3 import blake3

from flowkit import wire
from flowkit.errors import Corrupt, KeyMissing
from flowkit.ports import Buffer
from flowkit.store.compression import compress_if_it_pays, decompress, pieces_of
from flowkit.store.envelope import open_record, seal_record
from flowkit.store.gate import Gate
from flowkit.store.hashing import Pieces, digest_of
from flowkit.store.keys import chunks_key, compressed_key, raw_key, recipe_key
from flowkit.store.maps import file_maps
from flowkit.store.memory import gather, memory_needed
from flowkit.store.recipes import (
    RECIPE_FROM_BYTES,
    SOURCES_MAX,
    Chunk,
    Recipe,
    Source,
    cut,
    find_known,
    pack_chunks,
    unpack_chunks,
)
from flowkit.values import Digest

Verify = Literal["fetched", "always"]

_HELD_BYTES: Final = 256 << 20
_DIFFERS: Final = "its bytes do not have the digest that names them"


class Objects:
    """Puts objects into a storage once, and gets them back verified."""

    def __init__(self, gate: Gate, *, verify: Verify = "fetched") -> None:
        self._gate = gate
        self._always = verify == "always"
        self._mapped: WeakKeyDictionary[mmap.mmap, Digest] = WeakKeyDictionary()

    def put(
        self,
        pieces: Pieces,
        *,
        digest: Digest | None = None,
        mapped: bool = False,
        bases: Sequence[Digest] = (),
    ) -> Digest:
        """Store bytes unless they are stored; returns their digest.

        Args:
            pieces: the bytes.
            digest: their digest, if it is known already.
            mapped: they are a buffer that readers would like to map.
            bases: objects that may have much of it already.

        Raises:
            StoreError: the storage failed.
        """
        digest = digest or pieces.digest()
        if self._holds(digest):
            return digest
        if bases and pieces.size_bytes >= RECIPE_FROM_BYTES:
            recipe = self._recipe(pieces, bases)
            if recipe is not None:
                key = recipe_key(digest)
                record = seal_record("recipe", wire.encode(recipe), key=key)
                self._gate.writing.create(key, *record)
                return digest
        self._put_plain(pieces, digest, mapped=mapped)
        return digest

    def get(self, digest: Digest, *, size_bytes: int | None = None) -> memoryview:
        """Return an object's bytes as private memory: mapped, read or gathered.

        `size_bytes`: how many they are, if that is known; no memory is taken for more.

        Raises:
            KeyMissing: there is no such object.
            Corrupt: it is damaged.
            StoreError: there is not enough memory.
        """
        try:
            return self.get_plain(digest, size_bytes=size_bytes)
        except KeyMissing:
            recipe = self.find_recipe(digest)
            if recipe is None:
                raise
        if size_bytes not in (None, recipe.size_bytes):
            raise Corrupt(recipe_key(digest), f"it is not of {size_bytes} bytes")
        return self._gathered(digest, recipe)

    def get_plain(self, digest: Digest, *, size_bytes: int | None = None) -> memoryview:
        """Return the bytes of an object that is no recipe. Raises what `get` does."""
        key = raw_key(digest)
        check = _check_of(digest, key)
        try:
            view = self._gate.reading.map(key, check=None if self._always else check)
        except KeyMissing as missing:
            try:
                return self._get_compressed(digest, size_bytes)
            except KeyMissing:
                raise missing from None
        if self._always:
            check(view)
        if isinstance(view.obj, mmap.mmap):
            self._mapped[view.obj] = digest
        return view

    def find_digest(self, pieces: Pieces) -> Digest | None:
        """Return the digest of an object's own bytes, got here and not written to; or None.

        They are not read, so that what a task only passes on costs nothing.
        """
        if len(pieces.views) != 1 or not self._mapped:
            return None
        mapped = file_maps.find_untouched(pieces.views[0])
        return None if mapped is None else self._mapped.get(mapped)

    def find_recipe(self, digest: Digest) -> Recipe | None:
        """Return the recipe that an object is stored as, or None. Raises Corrupt."""
        key = recipe_key(digest)
        try:
            data = self._gate.reading.read(key)
        except KeyMissing:
            return None
        body = open_record("recipe", data, key=key)
        recipe = wire.decode(Recipe, body, name=key)
        if not recipe.is_sound:
            raise Corrupt(key, "its extents do not add up")
        return recipe

    def refresh(self, digest: Digest) -> bool:
        """Keep an object from garbage collection, unread; False if it, or a part of it, is gone."""
        storage = self._gate.writing
        if any(map(storage.refresh, (raw_key(digest), compressed_key(digest)))):
            return True
        if not storage.refresh(recipe_key(digest)):
            return False
        recipe = self.find_recipe(digest)
        return recipe is not None and all(map(self.refresh, recipe.plain))

    def verify(self, key: str, digest: Digest) -> None:
        """Check one stored form of an object fully, seal or no seal. Raises Corrupt, KeyMissing."""
        if key == compressed_key(digest):
            _check_pieces(pieces_of(self._gate.reading.read(key), key=key), digest, key)
        elif key == recipe_key(digest):
            recipe = self.find_recipe(digest)
            if recipe is None:
                raise KeyMissing(key)
            _check_pieces(self._extents(key, recipe), digest, key)
        elif key == chunks_key(digest):
            self._find_chunks(digest)
        elif key == raw_key(digest):
            _check_of(digest, key)(self._gate.reading.map(key))
        else:
            raise Corrupt(key, "it is no form of an object")

    def _get_compressed(self, digest: Digest, size_bytes: int | None) -> memoryview:
        key = compressed_key(digest)
        view = decompress(self._gate.reading.read(key), key=key, size_bytes=size_bytes)
        _check_of(digest, key)(view)
        return view

    def _gathered(self, digest: Digest, recipe: Recipe) -> memoryview:
        key = recipe_key(digest)
        with memory_needed(key):
            view = gather(recipe.size_bytes, self._extents(key, recipe))
        _check_of(digest, key)(view)
        return view

    def _extents(self, key: str, recipe: Recipe) -> Iterator[memoryview]:
        """Yield the bytes of a recipe's extents. Maps are kept open; of others, just some."""
        plain: dict[Digest, memoryview] = {}
        held = 0
        for one in recipe.extents:
            if one.digest not in plain:
                if held > _HELD_BYTES:
                    plain.clear()
                    held = 0
                found = plain[one.digest] = self.get_plain(one.digest)
                held += 0 if found.obj in self._mapped else found.nbytes
            view = plain[one.digest][one.offset : one.offset + one.length]
            if view.nbytes != one.length:
                raise Corrupt(key, f"an extent is not inside of object `{one.digest}`")
            yield view

    def _holds(self, digest: Digest) -> bool:
        """Say whether an object is there and intact, and keep it from garbage collection.

        A damaged one is removed, so that the bytes at hand take its place.
        """
        if self._holds_plain(digest):
            return True
        storage = self._gate.writing
        key = recipe_key(digest)
        if not storage.refresh(key):
            return False
        try:
            recipe = self.find_recipe(digest)
            if recipe is not None and all(map(self._holds_plain, recipe.plain)):
                return True
        except Corrupt:
            pass
        storage.delete(key)
        return False

    def _holds_plain(self, digest: Digest) -> bool:
        storage = self._gate.writing
        for key in (raw_key(digest), compressed_key(digest)):
            if storage.refresh(key):
                try:
                    self.get_plain(digest)
                except Corrupt:
                    storage.delete(key)
                except KeyMissing:
                    pass
                else:
                    return True
        return False

    def _put_plain(self, pieces: Pieces, digest: Digest, *, mapped: bool) -> None:
        compressed = compress_if_it_pays(pieces, mapped=mapped)
        if compressed is None:
            self._gate.writing.create(raw_key(digest), *pieces.views)
        else:
            self._gate.writing.create(compressed_key(digest), compressed)

    def _recipe(self, pieces: Pieces, bases: Sequence[Digest]) -> Recipe | None:
        """Find most of the bytes in other objects and store the rest; None if that does not pay."""
        try:
            sources = [self._source(one) for one in self._plain(bases)]
        except (Corrupt, KeyMissing):
            return None  # a base that is damaged or gone is no base
        found = find_known(pieces, sources)
        if found is None:
            return None
        if found.fresh.size_bytes and not self._holds_plain(found.fresh_digest):
            self._put_plain(found.fresh, found.fresh_digest, mapped=True)
        # Kept from garbage collection now, before the recipe that relies on them exists.
        return found.recipe if all(map(self._holds_plain, found.recipe.plain)) else None

    def _plain(self, bases: Sequence[Digest]) -> list[Digest]:
        """Return the plain objects that hold the bytes of some objects."""
        plain: dict[Digest, None] = {}
        for base in bases:
            recipe = self.find_recipe(base)
            plain.update(dict.fromkeys(recipe.plain if recipe else [base]))
        return list(plain)[:SOURCES_MAX]

    def _source(self, digest: Digest) -> Source:
        view = self.get_plain(digest)
        chunks = self._find_chunks(digest)
        if chunks is None:
            chunks = list(cut(view))
            key = chunks_key(digest)
            self._gate.writing.create(key, *seal_record("chunks", pack_chunks(chunks), key=key))
        return Source(digest, view, chunks)

    def _find_chunks(self, digest: Digest) -> list[Chunk] | None:
        key = chunks_key(digest)
        try:
            data = self._gate.reading.read(key)
        except KeyMissing:
            return None
        return unpack_chunks(open_record("chunks", data, key=key), key=key)


def _check_pieces(pieces: Iterable[Buffer], digest: Digest, key: str) -> None:
    """Raise Corrupt unless these are the object's bytes, which no memory may be enough for."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    if hasher.digest() != digest:
        raise Corrupt(key, _DIFFERS)


def _check_of(digest: Digest, key: str) -> Callable[[memoryview], None]:
    """Return a function that raises Corrupt unless it is given the object's bytes."""

    def check(view: memoryview) -> None:
        if digest_of(view) != digest:
            raise Corrupt(key, _DIFFERS)

    return check
