"""The core's similarities of pairs against rapidfuzz, or against plain Python where it has none."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, Jaro, JaroWinkler, Levenshtein

from flowkit import native
from flowkit.errors import UsageError

MakeColumn = Callable[[Sequence[object], pa.DataType], Any]
Kernel = Callable[..., native.Array]


def similarity_of_edits(*columns: Any, threads: int = 1) -> native.Array:
    return native.levenshtein(*columns, normalised=True, threads=threads)


def similarity_of_damerau(*columns: Any, threads: int = 1) -> native.Array:
    return native.damerau_levenshtein(*columns, normalised=True, threads=threads)


def jaccard(left: str, right: str) -> float:
    """Say it plainly: rapidfuzz has none."""
    one, other = set(left.split()), set(right.split())
    return len(one & other) / len(one | other) if one | other else 1.0


def ngrams(text: str, n: int) -> Counter[str]:
    """Count; a string that is too short is its own only one."""
    size = min(n, len(text))
    return Counter(text[at : at + size] for at in range(len(text) - size + 1) if size)


def cosine(left: str, right: str, n: int = 3) -> float:
    one, other = ngrams(left, n), ngrams(right, n)
    if not one or not other:
        return 1.0 if one == other else 0.0
    product = sum(count * other[gram] for gram, count in one.items())
    squares = [sum(count**2 for count in counts.values()) for counts in (one, other)]
    return product / math.sqrt(squares[0] * squares[1])


KERNELS: dict[str, tuple[Kernel, Callable[[str, str], float]]] = {
    "jaro": (native.jaro, Jaro.similarity),
    "jaro_winkler": (native.jaro_winkler, JaroWinkler.similarity),
    "levenshtein": (native.levenshtein, Levenshtein.distance),
    "levenshtein, normalised": (similarity_of_edits, Levenshtein.normalized_similarity),
    "damerau": (native.damerau_levenshtein, DamerauLevenshtein.distance),
    "damerau, normalised": (similarity_of_damerau, DamerauLevenshtein.normalized_similarity),
    "token_set_jaccard": (native.token_set_jaccard, jaccard),
    "ngram_cosine": (native.ngram_cosine, cosine),
}
TYPES = {
    "jaro": pa.float64(),
    "jaro_winkler": pa.float64(),
    "levenshtein": pa.int32(),
    "levenshtein, normalised": pa.float64(),
    "damerau": pa.int32(),
    "damerau, normalised": pa.float64(),
    "token_set_jaccard": pa.float64(),
    "ngram_cosine": pa.float64(),
}

# Few letters, so that strings have much in common; lengths about those of registers and words.
lengths = st.sampled_from(
    [0, 1, 2, 7, 8, 15, 16, 17, 24, 25, 31, 32, 33, 63, 64, 65, 128, 129, 200]
)


def strings(letters: str) -> st.SearchStrategy[str]:
    letter = st.sampled_from(letters)
    exact = lengths.flatmap(lambda size: st.text(letter, min_size=size, max_size=size))
    return st.text(letter, max_size=20) | exact


texts = (
    strings("ab")
    | strings("ab \t\x1c\x85\u2003\u3000")
    | strings("abcdefgh ")
    | strings("aäb€😀")
    | st.text(max_size=30)
)


def edited(text: str, seed: int) -> str:
    """Change a string a little: most pairs of a block are nearly alike."""
    source = random.Random(seed)
    letters = list(text)
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(letters) + 1)
        match source.randrange(3):
            case 0:
                letters.insert(at, source.choice("abä"))
            case 1:
                letters[at : at + 1] = []
            case _:
                letters[at : at + 2] = reversed(letters[at : at + 2])
    return "".join(letters)


pairs = st.tuples(texts, texts) | st.builds(
    lambda text, seed: (text, edited(text, seed)), texts, st.integers(0, 2**32)
)


def scored(kernel: Kernel, left: Sequence[Any], right: Sequence[Any], threads: int = 1) -> pa.Array:
    rows = pa.array(range(len(left)), pa.int64())
    result = pa.array(
        kernel(
            pa.array(left, pa.string()), pa.array(right, pa.string()), rows, rows, threads=threads
        )
    )
    result.validate(full=True)
    return result


@pytest.mark.parametrize("name", KERNELS)
@given(drawn=st.lists(pairs, min_size=1, max_size=12))
@settings(max_examples=300)
def test_scores_are_those_of_the_oracle(name: str, drawn: list[tuple[str, str]]) -> None:
    kernel, oracle = KERNELS[name]
    left, right = zip(*drawn, strict=True)
    found = scored(kernel, left, right)
    assert found.type == TYPES[name]
    assert found.to_pylist() == pytest.approx([oracle(*pair) for pair in drawn], abs=1e-9)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("letters", ["ab", "abcdefghijklmnopqrstuvwxyz", "abcdeäöüß", "ab   "])
def test_many_pairs_of_every_length_are_scored_as_by_the_oracle(name: str, letters: str) -> None:
    kernel, oracle = KERNELS[name]
    source = random.Random(letters)
    left = ["".join(source.choices(letters, k=source.randrange(90))) for _ in range(6000)]
    right = [
        edited(text, at) if at % 2 else "".join(source.choices(letters, k=source.randrange(90)))
        for at, text in enumerate(left)
    ]
    expected = [oracle(*pair) for pair in zip(left, right, strict=True)]
    found = scored(kernel, left, right)
    assert found.to_pylist() == pytest.approx(expected, abs=1e-9)
    assert scored(kernel, left, right, threads=3).equals(found)


@pytest.mark.parametrize("name", KERNELS)
def test_long_texts_are_scored_as_by_the_oracle(name: str) -> None:
    kernel, oracle = KERNELS[name]
    source = random.Random(5)
    long = ["".join(source.choices("abcdé", k=size)) for size in (1000, 3001, 64 * 40)]
    left = [*long, long[0], "a"]
    right = [edited(long[0], 1), edited(long[1], 2), long[0], "", long[2]]
    expected = [oracle(*pair) for pair in zip(left, right, strict=True)]
    assert scored(kernel, left, right).to_pylist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("index", [pa.int32(), pa.uint8(), pa.int64()], ids=str)
def test_columns_and_indices_of_any_layout_are_taken(
    name: str, column: MakeColumn, kind: pa.DataType, index: pa.DataType
) -> None:
    kernel, oracle = KERNELS[name]
    left = ["anna", None, "hannah", "", "änne"] * 3
    right = ["hanna", "anne", "a" * 30]
    left_rows = [at % len(left) for at in range(100)]
    right_rows = [at * 7 % len(right) for at in range(100)]
    result = kernel(
        column(left, kind), column(right, kind), column(left_rows, index), column(right_rows, index)
    )
    found = pa.array(result)
    found.validate(full=True)
    for score, at, other in zip(found.to_pylist(), left_rows, right_rows, strict=True):
        text = left[at]
        assert score == (None if text is None else pytest.approx(oracle(text, right[other])))


@pytest.mark.parametrize("n", [1, 2, 5, 64])
@given(drawn=st.lists(pairs, min_size=1, max_size=12))
@settings(max_examples=100)
def test_ngrams_may_be_of_any_size(n: int, drawn: list[tuple[str, str]]) -> None:
    left, right = zip(*drawn, strict=True)
    found = scored(lambda *columns, threads: native.ngram_cosine(*columns, n=n), left, right)
    assert found.to_pylist() == pytest.approx([cosine(*pair, n) for pair in drawn], abs=1e-12)


@pytest.mark.parametrize("n", [0, -1, 65])
def test_ngrams_of_no_size_are_refused(n: int) -> None:
    with pytest.raises(UsageError):
        native.ngram_cosine(TEXTS, TEXTS, ROWS, ROWS, n=n)


def test_every_white_space_of_python_parts_tokens() -> None:
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    left = [f"a{point}b" for point in points]
    expected = [1.0 if point.isspace() else 0.0 for point in points]
    assert scored(native.token_set_jaccard, left, ["b a"] * len(left)).to_pylist() == expected


@pytest.mark.parametrize("name", KERNELS)
def test_no_pairs_give_an_empty_array(name: str) -> None:
    assert len(scored(KERNELS[name][0], [], [])) == 0


TEXTS = pa.array(["a", "b"])
ROWS = pa.array([0, 1])


@pytest.mark.parametrize(
    "columns",
    [
        (pa.array([1, 2]), TEXTS, ROWS, ROWS),
        (TEXTS, pa.array([b"a"]), ROWS, ROWS),
        (TEXTS, TEXTS, pa.array([0, 2]), ROWS),
        (TEXTS, TEXTS, ROWS, pa.array([0, -1])),
        (TEXTS, TEXTS, ROWS, pa.array([0, 2**63], pa.uint64())),
        (TEXTS, TEXTS, ROWS, pa.array([0])),
        (TEXTS, TEXTS, ROWS, pa.array([0, None])),
        (TEXTS, TEXTS, ROWS, pa.array([0.0, 1.0])),
        (TEXTS, pa.array([], pa.string()), ROWS, ROWS),
        (pa.array([b"a", b"\xff"]).view(pa.string()), TEXTS, ROWS, ROWS),
        (TEXTS, TEXTS, ROWS, [0, 1]),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("name", KERNELS)
def test_what_makes_no_pairs_of_strings_is_refused(name: str, columns: Any) -> None:
    with pytest.raises(UsageError):
        KERNELS[name][0](*columns)


@pytest.mark.parametrize("threads", [0, -1, 10**6])
def test_a_number_of_threads_that_cannot_be_is_refused(threads: int) -> None:
    with pytest.raises(UsageError):
        native.jaro(TEXTS, TEXTS, ROWS, ROWS, threads=threads)


def test_a_long_row_costs_nothing_where_nobody_asks_for_it() -> None:
    drawn = random.Random(7)
    left, right = (
        pa.array(["".join(drawn.choices("abcdef", k=40_000)), "Martha"]) for _ in range(2)
    )

    def cost_s(row: int) -> float:
        index = pa.array([row])
        began = time.process_time()
        native.levenshtein(left, right, index, index)
        return time.process_time() - began

    assert cost_s(1) < cost_s(0) / 2
