"""Manifests: what a task leaves, in one object."""

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import Corrupt, KeyMissing, StoreError
from flowkit.store import Store, UnpicklableArtifact, element
from flowkit.testing import CountingStorage, MemoryStorage
from flowkit.values import ArtifactEntry, Digest, Part


@pytest.fixture
def storage() -> CountingStorage:
    return CountingStorage(MemoryStorage())


@pytest.fixture
def store(storage: CountingStorage) -> Store:
    return Store(storage)


def save(store: Store, **values: object) -> Digest:
    writer = store.write_manifest()
    for name, value in values.items():
        writer.add(name, value)
    return writer.commit()


def load(store: Store, manifest: Digest) -> dict[str, object]:
    artifacts = store.manifest(manifest).artifacts
    return {name: store.load(entry) for name, entry in artifacts.items()}


def test_artifacts_come_back_by_name(store: Store, storage: CountingStorage) -> None:
    values = {"one": 1, "text": "x" * 50_000, "pair": (1, 2), "raw": b"\0" * 40_000}
    assert load(Store(storage), save(store, **values)) == values


def test_small_artifacts_cost_one_object(store: Store, storage: CountingStorage) -> None:
    values = {f"x{number}": [number, str(number)] for number in range(2000)}
    manifest = save(store, **values)
    assert storage.count("create", "objects/") == 1
    reader = Store(storage)
    assert load(reader, manifest) == values
    assert storage.count("map", "objects/") <= 1
    assert storage.count("read", "objects/") <= 1


@pytest.mark.parametrize("size", [10, 5000, 1 << 20])
def test_a_loaded_array_may_be_changed_in_place(store: Store, size: int) -> None:
    entry = store.manifest(save(store, x=np.arange(size))).artifacts["x"]
    array = store.load(entry)
    assert isinstance(array, np.ndarray)
    array[:] = 7
    assert np.array_equal(store.load(entry), np.arange(size))  # type: ignore[arg-type]


def test_a_pack_does_not_grow_without_end(store: Store, storage: CountingStorage) -> None:
    values = {f"x{number}": b"%06d" % number * 2000 for number in range(200)}
    manifest = save(store, **values)
    assert len(store.get(manifest)) < 2 << 20
    assert load(Store(storage), manifest) == values


def test_equal_small_values_are_packed_once(store: Store) -> None:
    many = save(store, **{f"x{number}": "the same text" * 100 for number in range(50)})
    assert len(store.get(many)) < 20_000


def test_the_same_artifacts_make_the_same_manifest(store: Store) -> None:
    assert save(store, a=1, b=np.arange(5000)) == save(store, a=1, b=np.arange(5000))
    assert save(store, a=1) != save(store, a=1.0)


def test_an_inherited_artifact_moves_no_bytes(store: Store, storage: CountingStorage) -> None:
    first = save(store, small=[1, 2], large=np.arange(100_000))
    writer = store.write_manifest()
    for name, entry in store.manifest(first).artifacts.items():
        writer.inherit(name, entry)
    storage.reset()
    second = writer.commit()
    assert storage.count("create", "objects/") == 1
    loaded = load(Store(storage), second)
    assert loaded["small"] == [1, 2]
    assert np.array_equal(loaded["large"], np.arange(100_000))
    third = store.write_manifest()
    third.inherit("again", store.manifest(second).artifacts["small"])
    assert store.manifest(third.commit()).artifacts["again"].parts[0].digest == first


def test_identity_does_not_depend_on_where_the_bytes_lie(store: Store) -> None:
    value = "x" * 5000
    packed = store.manifest(save(store, x=value)).artifacts["x"]
    crowd = {f"y{number}": f"{number:06}" * 2000 for number in range(100)}
    stored = store.manifest(save(store, **crowd, x=value)).artifacts["x"]
    assert packed.parts[0].packed_at is not None
    assert stored.parts[0].packed_at is None
    assert packed.digest == stored.digest


def test_identity_is_what_the_format_says(store: Store) -> None:
    entry = store.manifest(save(store, x=[1])).artifacts["x"]
    part = len(b"[1]").to_bytes(8, "little") + blake3(b"[1]").digest()
    assert entry.digest == blake3(b"flowkit artifact 1\njson\n" + part).digest()
    assert (entry.tag, entry.type_name, entry.size_bytes) == ("json", "list", 3)


def test_a_manifest_is_laid_out_as_the_format_says(store: Store) -> None:
    data = bytes(store.get(save(store, x=b"packed", y=b" bytes")))
    size = int(data[19:31])
    assert data[:19] == b"flowkit manifest 1 "
    assert data[31:33] == b"\n{"
    end = 32 + size
    pack = -(-end // 64) * 64
    assert data[end - 1 : pack] == b"}" + bytes(pack - end)
    assert data[pack:] == b"packed bytes"


def test_the_last_value_of_a_name_counts(store: Store) -> None:
    writer = store.write_manifest()
    writer.add("x", 1)
    writer.add("x", 2)
    assert load(store, writer.commit()) == {"x": 2}


@given(st.lists(st.integers() | st.text() | st.binary(), max_size=600))
def test_each_element_of_a_foreach_can_be_loaded_alone(items: list[object]) -> None:
    store = Store(MemoryStorage())
    writer = store.write_manifest()
    assert writer.add_items(iter(items)) == len(items)
    manifest = writer.commit()
    for index in {0, 1, 255, 256, 257, 511, 512, len(items) - 1} & set(range(len(items))):
        assert element(store, manifest, index) == items[index]
    for index in (-1, len(items), len(items) + 256):
        with pytest.raises(IndexError):
            element(store, manifest, index)


def test_an_element_loads_its_own_block_only(store: Store, storage: CountingStorage) -> None:
    rows = [np.full(5000, number) for number in range(600)]
    writer = store.write_manifest()
    assert writer.add_items(rows) == 600
    manifest = writer.commit()
    storage.reset()
    reader = Store(storage)
    assert element(reader, manifest, 599)[0] == 599
    assert storage.count("map", "objects/") < 150
    assert element(reader, manifest, 0)[0] == 0


def test_an_entry_of_an_unfinished_manifest_cannot_be_loaded(store: Store) -> None:
    with pytest.raises(ValueError, match="not committed"):
        store.load(store.write_manifest().add("x", 1))


def test_an_object_that_is_no_manifest_is_damage(store: Store) -> None:
    for data in (b"", b"text", b"flowkit manifest 1 000000000003\nnot json"):
        with pytest.raises(Corrupt):
            store.manifest(store.put(data))


def test_a_manifest_that_points_past_its_pack_is_damage(store: Store) -> None:
    manifest = save(store, x=1)
    entry = store.manifest(manifest).artifacts["x"]
    beyond = ArtifactEntry(
        tag="json", type_name="int", digest=entry.digest, parts=(Part(manifest, 10, 0),)
    )
    with pytest.raises(Corrupt):
        store.load(beyond)


def test_an_unknown_serializer_is_named(store: Store) -> None:
    entry = store.manifest(save(store, x=1)).artifacts["x"]
    foreign = ArtifactEntry(
        tag="martian", type_name="Crater", digest=entry.digest, parts=entry.parts
    )
    with pytest.raises(StoreError) as caught:
        store.load(foreign)
    assert "`martian`" in caught.value.message


def test_a_missing_module_is_explained(store: Store) -> None:
    # A pickle of `gone_module.Gone()`, as another machine may have written it.
    entry = store.manifest(save(store, x=b"cgone_module\nGone\n.")).artifacts["x"]
    pickled = ArtifactEntry(
        tag="pickle", type_name="gone_module.Gone", digest=entry.digest, parts=entry.parts
    )
    with pytest.raises(StoreError) as caught:
        store.load(pickled)
    assert "gone_module" in caught.value.message


def test_missing_bytes_are_named(store: Store, storage: CountingStorage) -> None:
    manifest = save(store, x=np.arange(100_000))
    entry = store.manifest(manifest).artifacts["x"]
    digest = entry.parts[1].digest
    assert digest is not None
    for key in list(storage.list("objects")):
        if digest.hex() in key:
            storage.delete(key)
    with pytest.raises(KeyMissing) as caught:
        store.load(entry)
    assert digest.hex() in caught.value.key


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Stubborn:
    def __reduce__(self) -> str:
        raise RuntimeError("will not")


def test_what_cannot_be_saved_is_named_with_its_path(store: Store) -> None:
    holder = Slotted({"deep": [1, (2, Stubborn())]})
    writer = store.write_manifest()
    with pytest.raises(UnpicklableArtifact) as caught:
        writer.add("model", holder)
    error = caught.value
    assert (error.name, error.path) == ("model", ".inner['deep'][1][1]")
    assert error.type_name.endswith("Slotted")
    assert "will not" in error.reason
    writer.add("fine", 1)
    assert load(store, writer.commit()) == {"fine": 1}


def test_an_element_that_cannot_be_saved_is_named(store: Store) -> None:
    with pytest.raises(UnpicklableArtifact) as caught:
        store.write_manifest().add_items([*range(300), Stubborn()])
    assert caught.value.name == "foreach[256:301]"
    assert caught.value.path == "[44]"
