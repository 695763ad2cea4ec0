"""The core's blocking against plain Python that looks at every pair."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit import native
from flowkit.errors import UsageError

MakeColumn = Callable[[Sequence[object], pa.DataType], Any]
Pair = tuple[int, int]


def found(batches: native.PairBatches) -> list[Pair]:
    """Read all pairs, both ways; they must be the same."""
    pairs: list[Pair] = []
    for left, right in batches:
        pairs += zip(pa.array(left).to_pylist(), pa.array(right).to_pylist(), strict=True)
    table = pa.RecordBatchReader.from_stream(batches).read_all()
    table.validate(full=True)
    assert table.schema.types == [pa.int32(), pa.int32()]
    assert list(zip(*(column.to_pylist() for column in table.columns), strict=True)) == pairs
    return pairs


def candidates(left: Sequence[object], right: Sequence[object] | None) -> Iterable[Pair]:
    """All pairs of rows without a null, by row."""
    if right is None:
        every: Iterable[Pair] = itertools.combinations(range(len(left)), 2)
    else:
        every = itertools.product(range(len(left)), range(len(right)))
    others = left if right is None else right
    return ((i, j) for i, j in every if left[i] is not None and others[j] is not None)


def key_blocks(left: Sequence[object], right: Sequence[object] | None) -> list[Pair]:
    others = left if right is None else right
    return [(i, j) for i, j in candidates(left, right) if left[i] == others[j]]


def sorted_neighbourhood(
    left: Sequence[Any], right: Sequence[Any] | None, window: int
) -> list[Pair]:
    """Slide a window over all rows, sorted by key, column and row."""
    columns = [left] if right is None else [left, right]
    rows = sorted(
        (key.encode() if isinstance(key, str) else key, side, row)
        for side, column in enumerate(columns)
        for row, key in enumerate(column)
        if key is not None
    )
    pairs: list[Pair] = []
    for place, (_, side, row) in enumerate(rows):
        for _, other_side, other in rows[place + 1 : place + window]:
            if right is None:
                pairs.append((min(row, other), max(row, other)))
            elif side != other_side:
                pairs.append((row, other) if side == 0 else (other, row))
    return pairs


MASK_32, MASK_64, GOLDEN = 2**32 - 1, 2**64 - 1, 0x9E3779B97F4A7C15


def add(state: int, number: int) -> int:
    state = (state + number + 1) * GOLDEN & MASK_64
    return state ^ state >> 32


def split_mix(seed: int, at: int) -> int:
    state = seed + (at + 1) * GOLDEN & MASK_64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK_64
    state = (state ^ state >> 27) * 0x94D049BB133111EB & MASK_64
    return state ^ state >> 31


def fmix32(number: int) -> int:
    number = (number ^ number >> 16) * 0x85EBCA6B & MASK_32
    number = (number ^ number >> 13) * 0xC2B2AE35 & MASK_32
    return number ^ number >> 16


def band_keys(text: str | None, ngram: int, bands: int, rows: int, seed: int) -> list[int | object]:
    """The key of a string in each band; one that equals no other if it has none."""
    if not text:
        return [object() for _ in range(bands)]
    size = min(ngram, len(text))
    hashes = set()
    for begin in range(len(text) - size + 1):
        state = 0
        for letter in text[begin : begin + size]:
            state = add(state, ord(letter))
        hashes.add(state & MASK_32)
    keys: list[int | object] = []
    for band in range(bands):
        state = 0
        for row in range(rows):
            order = split_mix(seed, band * rows + row) & MASK_32
            state = add(state, min(fmix32(one ^ order) for one in hashes))
        keys.append(state)
    return keys


def minhash_lsh(
    left: Sequence[str | None], right: Sequence[str | None] | None, *numbers: int
) -> list[Pair]:
    signed = [band_keys(text, *numbers) for text in left]
    others = signed if right is None else [band_keys(text, *numbers) for text in right]
    pairs = []
    for i, j in candidates(left, right):
        met = [band for band, key in enumerate(signed[i]) if key == others[j][band]]
        if met:
            pairs.append((i, met[0], j))
    return [(i, j) for i, _, j in sorted(pairs)]


words = st.text("abä", max_size=4) | st.none()
columns = st.lists(words, max_size=40)
batch_rows = st.sampled_from([1, 2, 3, 7, 1000])


@given(left=columns, right=st.none() | columns, size=batch_rows)
@settings(max_examples=300)
def test_key_blocks_are_all_pairs_with_equal_keys(
    left: list[str | None], right: list[str | None] | None, size: int
) -> None:
    others = None if right is None else pa.array(right, pa.large_string())
    batches = native.key_blocks(pa.array(left, pa.string()), others, batch_rows=size)
    assert found(batches) == key_blocks(left, right)


@given(
    left=columns, right=st.none() | columns, window=st.sampled_from([2, 3, 5, 99]), size=batch_rows
)
@settings(max_examples=300)
def test_neighbours_are_those_of_a_window_over_sorted_rows(
    left: list[str | None], right: list[str | None] | None, window: int, size: int
) -> None:
    others = None if right is None else pa.array(right, pa.string_view())
    batches = native.sorted_neighbourhood(
        pa.array(left, pa.string()), others, window=window, batch_rows=size
    )
    assert found(batches) == sorted_neighbourhood(left, right, window)


@given(
    left=st.lists(words, max_size=15),
    right=st.none() | st.lists(words, max_size=15),
    ngram=st.integers(1, 5),
    bands=st.integers(1, 5),
    rows=st.integers(1, 4),
    seed=st.integers(0, 2**64 - 1),
    size=batch_rows,
)
@settings(max_examples=300)
def test_strings_meet_where_their_signatures_do(
    left: list[str | None],
    right: list[str | None] | None,
    ngram: int,
    bands: int,
    rows: int,
    seed: int,
    size: int,
) -> None:
    others = None if right is None else pa.array(right, pa.string())
    batches = native.minhash_lsh(
        pa.array(left, pa.string()),
        others,
        ngram=ngram,
        bands=bands,
        rows=rows,
        seed=seed,
        batch_rows=size,
    )
    assert found(batches) == minhash_lsh(left, right, ngram, bands, rows, seed)


def test_long_strings_meet_alike_on_any_number_of_threads() -> None:
    source = random.Random(3)
    texts = ["".join(source.choices("abcdefgé😀 ", k=source.randrange(60))) for _ in range(150)]
    texts += [text[1:] + "x" for text in texts]
    expected = minhash_lsh(texts, None, 3, 20, 5, 7)
    assert len(expected) > 50
    for threads in (1, 3):
        batches = native.minhash_lsh(pa.array(texts), seed=7, threads=threads)
        assert found(batches) == expected


def test_a_band_is_met_as_often_as_its_sets_are_alike() -> None:
    # So many letters that hardly two strings share an n-gram: each is a throw of its own.
    source, letters = random.Random(11), [chr(0x4E00 + at) for at in range(5000)]
    texts = ["".join(source.choices(letters, k=30)) for _ in range(4000)]
    edited = [text[:15] + "#" + text[16:] for text in texts]
    pairs = set(found(native.minhash_lsh(pa.array(texts), pa.array(edited), bands=1, rows=1)))
    alike = []
    for one, other in zip(texts, edited, strict=True):
        left, right = ({text[at : at + 3] for at in range(28)} for text in (one, other))
        alike.append(len(left & right) / len(left | right))
    met = sum((row, row) in pairs for row in range(len(texts)))
    # Four standard deviations of as many throws with these chances.
    assert abs(met - sum(alike)) < 4 * sum(one * (1 - one) for one in alike) ** 0.5


TEXTS = ["b", "a", None, "b", "", "a long key that lies outside of its view", "b"]
KEYS: dict[pa.DataType, list[Any]] = {
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.binary(): [None if text is None else text.encode() for text in TEXTS],
    pa.binary_view(): [None if text is None else text.encode() for text in TEXTS],
    pa.binary(2): [b"ab", b"ab", None, b"aa", b"\0\xff"],
    pa.int8(): [3, -4, None, 3, -4, 0],
    pa.uint16(): [3, 40_000, None, 3, 0],
    pa.int64(): [2**40, -(2**62), None, 2**40, 0],
    pa.uint64(): [2**63, 1, None, 2**63, 2**64 - 1],
    pa.date32(): [3, -1, None, 3],
    pa.timestamp("us", "UTC"): [3, -1, None, 3],
    pa.time32("s"): [3, 1, None, 3],
    pa.duration("ns"): [3, -1, None, 3],
}


@pytest.mark.parametrize("kind", KEYS, ids=str)
def test_keys_of_any_type_and_layout_are_taken(column: MakeColumn, kind: pa.DataType) -> None:
    keys = column(KEYS[kind], kind)
    assert found(native.key_blocks(keys)) == key_blocks(KEYS[kind], None)
    assert found(native.key_blocks(keys, keys)) == key_blocks(KEYS[kind], KEYS[kind])
    for others in (None, KEYS[kind]):
        batches = native.sorted_neighbourhood(keys, None if others is None else keys, window=3)
        assert found(batches) == sorted_neighbourhood(KEYS[kind], others, 3)


def test_decimals_are_keys_too() -> None:
    keys = pa.array([1, 2, None, 1], pa.decimal128(9, 2))
    assert found(native.key_blocks(keys)) == [(0, 3)]


def test_batches_are_full_but_for_the_last_and_need_no_columns() -> None:
    batches = native.key_blocks(pa.array(["a"] * 30), batch_rows=100)
    assert [len(left) for left, _ in batches] == [100, 100, 100, 100, 35]
    assert pl.DataFrame(batches).shape == (435, 2)
    assert len(pa.table(batches)) == 435


def test_batches_go_into_the_similarities() -> None:
    names = pa.array(["Ada", "Bob", "Ada", "Bob"])
    scores = [pa.array(native.jaro(names, names, *pair)) for pair in native.key_blocks(names)]
    assert [score.to_pylist() for score in scores] == [[1.0, 1.0]]


def test_threads_may_share_an_iterator() -> None:
    shared = iter(native.key_blocks(pa.array([1] * 600), batch_rows=50))
    pairs: list[Pair] = []

    def read() -> None:
        for left, right in shared:
            pairs.extend(zip(pa.array(left).to_pylist(), pa.array(right).to_pylist(), strict=True))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pairs) == list(itertools.combinations(range(600), 2))


def test_no_rows_give_no_batches() -> None:
    none = pa.array([], pa.string())
    for batches in (
        native.key_blocks(none),
        native.key_blocks(none, none),
        native.sorted_neighbourhood(none),
        native.minhash_lsh(none, none),
    ):
        assert found(batches) == []


MANY = """
import resource
import pyarrow as pa
from flowkit import native

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

rows = 45_000
keys = pa.array(["one key for all"] * rows)
begin = peak()
pairs = sum(len(left) for left, _ in native.{call})
print(pairs, peak() - begin)
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("key_blocks(keys)", 45_000 * 44_999 // 2),
        ("sorted_neighbourhood(keys, window=rows)", 45_000 * 44_999 // 2),
        ("minhash_lsh(keys, bands=2, rows=2)", 45_000 * 44_999 // 2),
    ],
)
def test_a_billion_pairs_are_read_in_bounded_memory(call: str, expected: int) -> None:
    program = MANY.format(call=call)
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    pairs, grown = map(int, run.stdout.split())
    assert pairs == expected
    unit = 1 if sys.platform == "darwin" else 1024
    assert grown * unit < 200 * 2**20


ONE = pa.array(["a", "b"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: native.key_blocks(pa.array([1.0])),
        lambda: native.key_blocks(pa.array([True])),
        lambda: native.key_blocks(ONE, pa.array([1])),
        lambda: native.key_blocks(pa.array([1], pa.int32()), pa.array([1], pa.int64())),
        lambda: native.key_blocks(ONE, pa.array([b"a"])),
        lambda: native.key_blocks(ONE, batch_rows=0),
        lambda: native.key_blocks(ONE, batch_rows=2**31),
        lambda: native.key_blocks(["a"]),  # type: ignore[arg-type]
        lambda: native.sorted_neighbourhood(ONE, window=1),
        lambda: native.sorted_neighbourhood(ONE, window=-1),
        lambda: native.sorted_neighbourhood(pa.array([1.5])),
        lambda: native.sorted_neighbourhood(pa.array([1], pa.decimal128(9, 2))),
        lambda: native.minhash_lsh(pa.array([1])),
        lambda: native.minhash_lsh(ONE, ngram=0),
        lambda: native.minhash_lsh(ONE, ngram=65),
        lambda: native.minhash_lsh(ONE, bands=0),
        lambda: native.minhash_lsh(ONE, rows=0),
        lambda: native.minhash_lsh(ONE, bands=1024, rows=1024),
        lambda: native.minhash_lsh(ONE, threads=0),
        lambda: native.minhash_lsh(pa.array([b"a", b"\xff"]).view(pa.string())),
        lambda: native.minhash_lsh(ONE, pa.array([b"a", b"\xff"]).view(pa.string())),
    ],
    ids=range(21),
)
def test_what_makes_no_pairs_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        call()
