"""Recipes: a large buffer with a little changed costs what changed."""

from itertools import count

import numpy as np
import pyarrow as pa
import pytest
from blake3 import blake3

from flowkit.errors import Corrupt
from flowkit.store import Store, collect, verify_store
from flowkit.testing import MemoryStorage
from flowkit.values import ArtifactEntry, Digest, Manifest

MEGABYTE = 1 << 20


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def store(storage: MemoryStorage) -> Store:
    return Store(storage)


def noise(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def save(store: Store, value: object, base: Manifest | None = None) -> tuple[Manifest, Digest]:
    writer = store.write_manifest(base=base)
    writer.add("x", value)
    digest = writer.commit()
    return store.manifest(digest), digest


def large_part(manifest: Manifest) -> Digest:
    digest = manifest.artifacts["x"].parts[-1].digest
    assert digest is not None
    return digest


def stored_bytes(storage: MemoryStorage) -> int:
    """Bytes of all objects, but for chunk fingerprints, which can be computed again."""
    keys = storage.list("objects")
    return sum(storage.size(key) for key in keys if not key.endswith(".chunks"))


def key_of(digest: Digest, suffix: str = "") -> str:
    return f"objects/{digest.hex()[:2]}/{digest.hex()}{suffix}"


def edited(kind: str, base: np.ndarray) -> np.ndarray:
    size = len(base) // 100
    new = noise(size, seed=1)
    if kind == "changed in one place":
        result = base.copy()
        result[len(base) // 3 : len(base) // 3 + size] = new
        return result
    parts = {
        "inserted at the front": [new, base],
        "appended": [base, new],
        "removed": [base[:1000], base[size:]],
    }
    return np.concatenate(parts[kind])


@pytest.mark.parametrize(
    "kind", ["changed in one place", "inserted at the front", "appended", "removed"]
)
def test_one_percent_of_change_costs_two_percent_at_most(
    store: Store, storage: MemoryStorage, kind: str
) -> None:
    base = noise(64 * MEGABYTE)
    manifest, _ = save(store, base)
    before = stored_bytes(storage)
    value = edited(kind, base)
    changed, _ = save(store, value, manifest)
    assert stored_bytes(storage) - before <= 0.02 * len(base)
    loaded = Store(storage).load(changed.artifacts["x"])
    assert np.array_equal(loaded, value)
    assert loaded.flags.writeable
    assert loaded.ctypes.data % 64 == 0


def test_a_chain_of_changes_points_at_plain_objects_only(
    store: Store, storage: MemoryStorage
) -> None:
    value = noise(4 * MEGABYTE)
    manifest, _ = save(store, value)
    for step in range(8):
        value = value.copy()
        value[step * 400_000 : step * 400_000 + 5000] += 1
        manifest, _ = save(store, value, manifest)
        assert np.array_equal(Store(storage).load(manifest.artifacts["x"]), value)
    keys = list(storage.list("objects"))
    assert sum(key.endswith(".recipe") for key in keys) == 8
    assert stored_bytes(storage) < 6.5 * MEGABYTE
    assert list(verify_store(store)) == []


@pytest.mark.parametrize("rows", [0, 20_000])
def test_a_table_with_rows_appended_is_stored_as_a_recipe(
    store: Store, storage: MemoryStorage, rows: int
) -> None:
    def table(count: int) -> pa.Table:
        rng = np.random.default_rng(3)
        return pa.table({name: rng.random(400_000 + rows)[:count] for name in "abc"})

    manifest, _ = save(store, table(400_000))
    before = stored_bytes(storage)
    value = table(400_000 + rows).append_column("new", pa.array(np.arange(400_000 + rows) % 7))
    changed, _ = save(store, value, manifest)
    assert stored_bytes(storage) - before < 0.6 * value.nbytes
    assert Store(storage).load(changed.artifacts["x"]).equals(value)


def test_constant_bytes_need_few_extents(store: Store, storage: MemoryStorage) -> None:
    manifest, _ = save(store, np.zeros(16 * MEGABYTE, np.uint8))
    value = np.zeros(17 * MEGABYTE, np.uint8)
    value[-1] = 1
    changed, _ = save(store, value, manifest)
    assert len(storage.read(key_of(large_part(changed), ".recipe"))) < 10_000
    assert np.array_equal(Store(storage).load(changed.artifacts["x"]), value)


def test_changes_in_very_many_places_cost_what_changed(
    store: Store, storage: MemoryStorage
) -> None:
    """A gigabyte with 8 KB in a hundred changed all over takes some thousand extents."""
    base = noise(64 * MEGABYTE)
    manifest, _ = save(store, base)
    before = stored_bytes(storage)
    value = base.copy()
    value[:: 96 << 10] += 1
    changed, _ = save(store, value, manifest)
    recipe = storage.read(key_of(large_part(changed), ".recipe"))
    assert recipe.count(b'"offset"') > 1024
    assert stored_bytes(storage) - before < 0.7 * len(value)
    assert np.array_equal(Store(storage).load(changed.artifacts["x"]), value)


@pytest.mark.parametrize(
    "value", [noise(2 * MEGABYTE, seed=5), noise(MEGABYTE // 2)], ids=["unlike", "small"]
)
def test_what_does_not_resemble_its_base_is_stored_plain(
    store: Store, storage: MemoryStorage, value: np.ndarray
) -> None:
    manifest, _ = save(store, noise(2 * MEGABYTE))
    changed, _ = save(store, value, manifest)
    assert key_of(large_part(changed)) in set(storage.list("objects"))
    assert not any(key.endswith(".recipe") for key in storage.list("objects"))


@pytest.mark.parametrize(("percent", "is_recipe"), [(40, False), (60, True)])
def test_a_recipe_must_save_half(
    store: Store, storage: MemoryStorage, percent: int, is_recipe: bool
) -> None:
    base = noise(4 * MEGABYTE)
    manifest, _ = save(store, base)
    known = len(base) * percent // 100
    value = np.concatenate([base[:known], noise(len(base) - known, seed=4)])
    changed, _ = save(store, value, manifest)
    suffix = ".recipe" if is_recipe else ""
    assert key_of(large_part(changed), suffix) in set(storage.list("objects"))


@pytest.mark.parametrize(
    "extents",
    [
        [(0, 2 * MEGABYTE - 1), (0, 1)],
        [(0, 2 * MEGABYTE + 5), (0, -5)],
        [(1, 2 * MEGABYTE)],
        [(0, 5)],
        [],
        [(at, 1) for at in range(2 * MEGABYTE // 1000)],
    ],
)
def test_a_recipe_that_makes_other_bytes_is_noticed(
    store: Store, storage: MemoryStorage, extents: list[tuple[int, int]]
) -> None:
    manifest, _ = save(store, noise(2 * MEGABYTE))
    plain, wanted = large_part(manifest), Digest(blake3(b"wanted").digest())
    lines = ",".join(
        f'{{"digest":"{plain.hex()}","offset":{offset},"length":{length}}}'
        for offset, length in extents
    )
    body = f'{{"extents":[{lines}],"size_bytes":{2 * MEGABYTE}}}'.encode()
    proof = blake3(b"flowkit recipe 1\n" + body).hexdigest().encode()
    storage.create(key_of(wanted, ".recipe"), b"flowkit recipe 1 " + proof + b"\n" + body)
    with pytest.raises(Corrupt) as caught:
        store.get(wanted)
    assert caught.value.key == key_of(wanted, ".recipe")
    assert [damage.key for damage in verify_store(store)] == [key_of(wanted, ".recipe")]


def test_a_missing_base_is_no_base(store: Store, storage: MemoryStorage) -> None:
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    storage.delete(key_of(large_part(manifest)))
    value = edited("appended", base)
    changed, _ = save(store, value, manifest)
    assert np.array_equal(Store(storage).load(changed.artifacts["x"]), value)


def test_damage_in_a_base_does_not_spread(store: Store, storage: MemoryStorage) -> None:
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    # The fingerprints are made while the base is intact.
    save(store, edited("appended", base), manifest)
    key = key_of(large_part(manifest))
    altered = bytearray(storage.read(key))
    altered[1000] ^= 1
    storage.delete(key)
    storage.create(key, altered)
    value = edited("inserted at the front", base)
    changed, _ = save(store, value, manifest)
    assert np.array_equal(Store(storage).load(changed.artifacts["x"]), value)


def test_wrong_fingerprints_do_no_harm(store: Store, storage: MemoryStorage) -> None:
    base, other = noise(2 * MEGABYTE), noise(2 * MEGABYTE, seed=9)
    first, _ = save(store, base)
    second, _ = save(store, other)
    save(store, edited("appended", base), first)
    save(store, edited("appended", other), second)
    # Intact records, but each beside the other's object.
    one, two = (key_of(large_part(which), ".chunks") for which in (first, second))
    mine, theirs = storage.read(one), storage.read(two)
    for key, data in ((one, theirs), (two, mine)):
        storage.delete(key)
        storage.create(key, data)
    value = edited("inserted at the front", other)
    changed, _ = save(store, value, first)
    assert np.array_equal(Store(storage).load(changed.artifacts["x"]), value)


def test_a_recipe_is_found_again_when_its_bytes_are_saved_again(
    store: Store, storage: MemoryStorage
) -> None:
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    value = edited("appended", base)
    changed, _ = save(store, value, manifest)
    before = list(storage.list("objects"))
    again, _ = save(Store(storage), value)
    assert again == changed
    assert list(storage.list("objects")) == before


@pytest.mark.parametrize("suffix", [".recipe", ""], ids=["recipe", "extent"])
def test_a_broken_recipe_is_noticed_and_heals(
    store: Store, storage: MemoryStorage, suffix: str
) -> None:
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    value = edited("appended", base)
    changed, _ = save(store, value, manifest)
    key = key_of(large_part(changed if suffix else manifest), suffix)
    altered = bytearray(storage.read(key))
    altered[len(altered) // 2] ^= 1
    storage.delete(key)
    storage.create(key, altered)
    with pytest.raises(Corrupt) as caught:
        Store(storage).load(changed.artifacts["x"])
    assert caught.value.key == key
    assert key in {damage.key for damage in verify_store(store)}
    healed, _ = save(store, value)
    assert np.array_equal(Store(storage).load(healed.artifacts["x"]), value)


def test_an_entry_is_the_same_whether_stored_plain_or_as_a_recipe(store: Store) -> None:
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    value = edited("appended", base)
    by_recipe: ArtifactEntry = save(store, value, manifest)[0].artifacts["x"]
    plain = save(Store(MemoryStorage()), value)[0].artifacts["x"]
    assert by_recipe.digest == plain.digest
    assert by_recipe.parts[1] == plain.parts[1]


def test_unreached_recipes_are_collected_with_their_parts() -> None:
    clock = iter(count(step=3600))
    storage = MemoryStorage(now=lambda: next(clock))
    store = Store(storage)
    base = noise(2 * MEGABYTE)
    manifest, _ = save(store, base)
    save(store, edited("appended", base), manifest)
    report = collect(store)
    assert report.deleted == report.unreached > 4
    assert list(storage.list("objects")) == []
