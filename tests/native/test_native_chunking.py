"""The compiled chunking against its Python twin, which follows the published rules literally."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import UsageError
from flowkit.native import chunk_boundaries

WORD = 2**64 - 1


def split_mix_64(count: int) -> list[int]:
    numbers, state = [], 0
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & WORD
        mixed = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & WORD
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & WORD
        numbers.append(mixed ^ mixed >> 31)
    return numbers


GEAR = split_mix_64(256)


def twin_boundaries(data: bytes, min_size: int, average_size: int, max_size: int) -> list[int]:
    """Return what the core must return: slow, and plain enough to be believed."""
    unit = WORD // average_size
    cuts: list[int] = []
    start, digest = 0, 0
    for end in range(len(data) + 1):
        length = end - start
        threshold = unit // 4 if length < average_size else unit * 4
        if length == max_size or (min_size <= length and digest < threshold):
            cuts.append(end)
            start = end
        if end < len(data):
            digest = (2 * digest + GEAR[data[end]]) & WORD
    return cuts if start == len(data) else [*cuts, len(data)]


def lengths(cuts: Sequence[int]) -> list[int]:
    return [end - start for start, end in zip([0, *cuts], cuts, strict=False)]


def structured(seed: int, size: int) -> bytes:
    """Runs of noise, of one byte and of repeated words, as files have them."""
    source = random.Random(seed)
    made = bytearray()
    while len(made) < size:
        run = source.randrange(1, 3000)
        word = source.randbytes(source.choice([1, 8, 100, run]))
        made += (word * (run // len(word) + 1))[:run]
    return bytes(made[:size])


sizes = st.tuples(st.integers(64, 2000), st.integers(0, 4000), st.integers(0, 20000)).map(
    lambda drawn: (drawn[0], drawn[0] + drawn[1], sum(drawn))
)
data = st.one_of(
    st.binary(max_size=3000),
    st.builds(structured, st.integers(0, 1000), st.integers(0, 30000)),
    st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(0, 9000)),
)


@given(data, sizes)
def test_the_core_cuts_where_its_twin_does(data: bytes, sizes: tuple[int, int, int]) -> None:
    low, average, high = sizes
    found = chunk_boundaries(data, min_size=low, average_size=average, max_size=high)
    assert found.typecode == "q"
    assert list(found) == twin_boundaries(data, low, average, high)


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("edge", [64, 2048, 4096, 64 + 2048, 64 + 4096, 6144])
def test_sizes_at_an_edge_of_the_core_s_strides_are_cut_alike(edge: int, extra: int) -> None:
    data = structured(7, 40_000)
    for length in (edge + extra, 40_000):
        found = chunk_boundaries(
            data[:length], min_size=64, average_size=edge + 1, max_size=2 * edge + 2
        )
        assert list(found) == twin_boundaries(data[:length], 64, edge + 1, 2 * edge + 2)


@given(data, sizes)
def test_chunks_cover_the_buffer_and_keep_their_bounds(
    data: bytes, sizes: tuple[int, int, int]
) -> None:
    low, average, high = sizes
    cuts = chunk_boundaries(data, min_size=low, average_size=average, max_size=high)
    assert (cuts[-1] if cuts else 0) == len(data)
    assert all(low <= length <= high for length in lengths(cuts)[:-1])
    assert all(0 < length <= high for length in lengths(cuts)[-1:])


@given(st.integers(0, 100), st.integers(0, 200_000), st.binary(min_size=1, max_size=500))
def test_most_cuts_reappear_after_an_insertion(seed: int, at: int, inserted: bytes) -> None:
    before = random.Random(seed).randbytes(200_000)
    after = before[:at] + inserted + before[at:]
    old, new = (
        set(chunk_boundaries(one, min_size=256, average_size=1024, max_size=4096))
        for one in (before, after)
    )
    moved = {cut if cut <= at else cut + len(inserted) for cut in old}
    assert len(moved & new) >= 0.8 * len(old)


def test_large_buffers_are_cut_like_their_parts() -> None:
    data = random.Random(1).randbytes(3 << 20)
    cuts = chunk_boundaries(data, min_size=16 << 10, average_size=64 << 10, max_size=256 << 10)
    for start, end in zip([0, *cuts], cuts[:9], strict=False):
        rest = data[start : start + (256 << 10)]
        first = chunk_boundaries(
            rest, min_size=16 << 10, average_size=64 << 10, max_size=256 << 10
        )[0]
        assert start + first == end


def cut(buffer: object) -> array[int]:
    return chunk_boundaries(buffer, min_size=64, average_size=256, max_size=1024)  # type: ignore[arg-type]


def test_every_contiguous_buffer_is_cut_by_its_bytes() -> None:
    data = random.Random(2).randbytes(24_000)
    expected = cut(data)
    numbers = np.frombuffer(data, dtype=np.float64)
    assert not numbers.flags.writeable
    for same in (
        bytearray(data),
        memoryview(b"head" + data + b"tail")[4:-4],
        array("q", data),
        numbers,
        numbers.copy().reshape(30, 100),
    ):
        assert cut(same) == expected


def test_an_empty_buffer_has_no_chunk() -> None:
    assert list(cut(b"")) == []
    assert list(cut(np.empty((0, 3)))) == []


@pytest.mark.parametrize("scattered", [memoryview(bytes(100))[::2], np.zeros((10, 10)).T[1:]])
def test_a_buffer_that_is_not_contiguous_is_refused(scattered: object) -> None:
    with pytest.raises(UsageError) as caught:
        cut(scattered)
    assert caught.value.hint is not None


def test_an_object_without_a_buffer_is_refused() -> None:
    with pytest.raises(UsageError, match="str"):
        cut("text")


@pytest.mark.parametrize(
    "sizes",
    [(63, 128, 256), (128, 64, 256), (64, 256, 128), (-1, -1, -1), (0, 0, 0), (64, 128, 2**31)],
)
def test_sizes_out_of_order_are_refused(sizes: tuple[int, int, int]) -> None:
    low, average, high = sizes
    with pytest.raises(UsageError) as caught:
        chunk_boundaries(b"", min_size=low, average_size=average, max_size=high)
    assert caught.value.hint is not None


def test_a_refused_buffer_is_released() -> None:
    buffer = bytearray(1000)
    with pytest.raises(UsageError):
        chunk_boundaries(buffer, min_size=1, average_size=1, max_size=1)
    buffer.clear()
    assert len(buffer) == 0
