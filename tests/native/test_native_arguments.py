"""Arguments that are no columns: what is out of range or of another type is named in one error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from flowkit import native
from flowkit.errors import UsageError

WORDS = pa.array(["ada", "grace", None])
DAYS = pa.array([0, 1], pa.date32())
TIMES = pa.array([0, 1], pa.timestamp("us"))
ROWS = pa.array([0, 1])
CODES = pa.array([1, 0])

KERNELS: dict[str, Callable[..., object]] = {
    "jaro": native.jaro,
    "jaro_winkler": native.jaro_winkler,
    "levenshtein": native.levenshtein,
    "damerau_levenshtein": native.damerau_levenshtein,
    "token_set_jaccard": native.token_set_jaccard,
    "ngram_cosine": native.ngram_cosine,
}

# Each number that a function takes: what calls the function with it, its name, and its range.
NUMBERS: list[tuple[Callable[[Any], object], str, int, int]] = [
    (lambda one: native.bucket(WORDS, one), "count", 1, 2**31 - 1),
    (lambda one: native.truncate(WORDS, one), "width", 1, 2**31 - 1),
    (lambda one: native.bucket(WORDS, 4, threads=one), "threads", 1, 4096),
    (lambda one: native.truncate(WORDS, 4, threads=one), "threads", 1, 4096),
    (lambda one: native.year(DAYS, threads=one), "threads", 1, 4096),
    (lambda one: native.month(DAYS, threads=one), "threads", 1, 4096),
    (lambda one: native.day(DAYS, threads=one), "threads", 1, 4096),
    (lambda one: native.hour(TIMES, threads=one), "threads", 1, 4096),
    (lambda one: native.gather(WORDS, ROWS, threads=one), "threads", 1, 4096),
    (lambda one: native.partition_permutation(CODES, 2, threads=one), "threads", 1, 4096),
    (lambda one: native.partition_permutation(CODES[:0], one), "count", 0, 2**20),
    (lambda one: native.ngram_cosine(WORDS, WORDS, ROWS, ROWS, n=one), "n", 1, 64),
    (lambda one: native.key_blocks(WORDS, batch_rows=one), "batch_rows", 1, 2**31 - 1),
    (lambda one: native.sorted_neighbourhood(WORDS, window=one), "window", 2, 2**63 - 1),
    (lambda one: native.sorted_neighbourhood(WORDS, batch_rows=one), "batch_rows", 1, 2**31 - 1),
    (lambda one: native.minhash_lsh(WORDS, ngram=one), "ngram", 1, 64),
    (lambda one: native.minhash_lsh(WORDS, bands=one, rows=4), "bands", 1, 1024),
    (lambda one: native.minhash_lsh(WORDS, rows=one, bands=4), "rows", 1, 1024),
    (lambda one: native.minhash_lsh(WORDS, seed=one), "seed", 0, 2**64 - 1),
    (lambda one: native.minhash_lsh(WORDS, batch_rows=one), "batch_rows", 1, 2**31 - 1),
    (lambda one: native.minhash_lsh(WORDS, threads=one), "threads", 1, 4096),
    (lambda one: cut(min_size=one), "min_size", 64, 100),
    (lambda one: cut(average_size=one), "average_size", 100, 1000),
    (lambda one: cut(max_size=one), "max_size", 100, 2**30),
]


def cut(**sizes: Any) -> object:
    return native.chunk_boundaries(
        b"", **{"min_size": 100, "average_size": 100, "max_size": 1000} | sizes
    )


@pytest.mark.parametrize(("call", "name", "least", "most"), NUMBERS)
def test_both_ends_of_a_range_are_taken(
    call: Callable[[Any], object], name: str, least: int, most: int
) -> None:
    if name == "threads":
        most = 8  # so many are started only if there is enough to do
    call(least)
    call(most)


@pytest.mark.parametrize(("call", "name", "least", "most"), NUMBERS)
def test_a_number_out_of_its_range_is_refused(
    call: Callable[[Any], object], name: str, least: int, most: int
) -> None:
    for wrong in (least - 1, most + 1, -(2**31) - 1, 2**31 * most, -(2**64), 2**64, 10**5000):
        with pytest.raises(UsageError):
            call(wrong)


@pytest.mark.parametrize(("call", "name", "least", "most"), NUMBERS)
def test_what_is_no_whole_number_is_refused_by_name(
    call: Callable[[Any], object], name: str, least: int, most: int
) -> None:
    for wrong in (None, 2.0, "2", [2], "\udc80", "x" * 1000):
        with pytest.raises(UsageError, match=f"`{name}`") as caught:
            call(wrong)
        assert caught.value.hint is not None
        assert len(caught.value.message) < 200


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_similarities_take_columns_and_threads_in_their_range(
    kernel: Callable[..., object],
) -> None:
    columns = [WORDS, WORDS, ROWS, ROWS]
    for place in range(4):
        given = [None if at == place else one for at, one in enumerate(columns)]
        with pytest.raises(UsageError, match="NoneType"):
            kernel(*given)
    for threads in (0, 4097, 2**31, 2**64, None):
        with pytest.raises(UsageError, match="threads"):
            kernel(*columns, threads=threads)


@pytest.mark.parametrize("kernel", [native.levenshtein, native.damerau_levenshtein])
@pytest.mark.parametrize("wrong", [1, None, "yes"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(
    kernel: Callable[..., object], wrong: object
) -> None:
    with pytest.raises(UsageError, match="`normalised`"):
        kernel(WORDS, WORDS, ROWS, ROWS, normalised=wrong)


@pytest.mark.parametrize(
    "call",
    [
        lambda: native.bucket(None, 4),  # type: ignore[arg-type]
        lambda: native.truncate(None, 4),  # type: ignore[arg-type]
        lambda: native.year(None),  # type: ignore[arg-type]
        lambda: native.gather(None, ROWS),  # type: ignore[arg-type]
        lambda: native.gather(WORDS, None),  # type: ignore[arg-type]
        lambda: native.partition_permutation(None, 4),  # type: ignore[arg-type]
        lambda: native.key_blocks(None),  # type: ignore[arg-type]
        lambda: native.sorted_neighbourhood(None),  # type: ignore[arg-type]
        lambda: native.minhash_lsh(None),  # type: ignore[arg-type]
        lambda: native.read_manifest(None),  # type: ignore[arg-type]
        lambda: native.read_manifest_list("a.avro"),  # type: ignore[arg-type]
        lambda: native.chunk_boundaries(None, min_size=64, average_size=64, max_size=64),  # type: ignore[arg-type]
    ],
)
def test_nothing_in_place_of_data_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match=r"of type `(NoneType|str)`") as caught:
        call()
    assert caught.value.hint is not None


@pytest.mark.parametrize("read", [native.read_manifest, native.read_manifest_list])
@pytest.mark.parametrize(
    "columns", [[1], ["\udc80"], ["status", None], [b"status"], "status", b"status", 3, None]
)
def test_columns_that_are_no_names_are_refused(
    read: Callable[..., object], columns: object
) -> None:
    with pytest.raises(UsageError, match="`columns` must be") as caught:
        read(b"", columns)
    assert caught.value.hint is not None


def test_one_name_in_place_of_a_list_is_shown_how_to_be_one() -> None:
    with pytest.raises(UsageError) as caught:
        native.read_manifest(b"", "status")
    assert "['status']" in str(caught.value.hint)


class Four:
    """A number of another library, such as NumPy's."""

    def __index__(self) -> int:
        return 4


def test_whole_numbers_of_other_libraries_are_taken() -> None:
    expected = pa.array(native.bucket(WORDS, 4))
    assert pa.array(native.bucket(WORDS, Four(), threads=Four())) == expected  # type: ignore[arg-type]
