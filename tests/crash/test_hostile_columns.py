"""Columns whose offsets, rows and types make no sense: the core refuses them, or does its work."""

from __future__ import annotations

import array
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pyarrow
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from rotting import IS_LONG

from flowkit import native
from flowkit.errors import FlowkitError

DATA = b"some text, \xff\xfe of which not all is text" * 4
OFFSETS = st.lists(st.integers(-5, len(DATA)), min_size=1, max_size=6)
ROWS = st.lists(st.integers(-3, 8) | st.sampled_from([2**31 - 1, -(2**31)]), max_size=6)
NUMBERS = st.integers(-3, 40) | st.sampled_from([2**31 - 1, 2**31, 2**63, 2**64, -(2**63), 10**30])
CALM = settings(
    max_examples=3000 if IS_LONG else 150,
    deadline=timedelta(seconds=20),
    derandomize=not IS_LONG,
    database=None,
)


def texts(offsets: list[int]) -> Any:
    """Return a column whose offsets are these, in order or not; all are inside of its bytes.

    Arrow looks at the first and the last of them.
    """
    buffers = [None, pyarrow.py_buffer(array.array("i", offsets)), pyarrow.py_buffer(DATA)]
    try:
        return pyarrow.Array.from_buffers(pyarrow.string(), len(offsets) - 1, buffers)
    except pyarrow.ArrowInvalid:
        reject()


def acts(words: Any, rows: Any, others: Any, number: int) -> list[Callable[[], Any]]:
    """Return all that can be done with two columns of texts and numbers of their rows."""
    pairs = (words, words, rows, others)
    return [
        *(lambda one=one: one(*pairs) for one in (native.jaro, native.jaro_winkler)),
        *(lambda one=one: one(*pairs) for one in (native.levenshtein, native.damerau_levenshtein)),
        lambda: native.token_set_jaccard(*pairs),
        lambda: native.ngram_cosine(*pairs, n=number),
        lambda: native.gather(words, rows),
        lambda: native.bucket(words, number),
        lambda: native.truncate(words, number),
        lambda: native.bucket(rows, number),
        lambda: native.truncate(rows, number),
        lambda: native.partition_permutation(rows, number),
        *(lambda one=one: one(rows) for one in (native.year, native.month, native.day)),
        lambda: native.hour(words),
        lambda: list(native.key_blocks(words, batch_rows=max(1, min(number, 100)))),
        lambda: list(native.key_blocks(words, rows)),
        lambda: list(native.sorted_neighbourhood(words, window=number)),
        lambda: list(native.minhash_lsh(words, bands=number, rows=2)),
    ]


@CALM
@given(offsets=OFFSETS, rows=ROWS, others=ROWS, number=NUMBERS)
@example([0, 40, 3, 50], [0, 1], [1, 0], 4)
@example([0, -4, 8], [0], [0], 4)
@example([0], [0], [0], 4)
@example([0, 4, 8], [2], [-1], 0)
def test_columns_that_make_no_sense_are_refused(
    offsets: list[int], rows: list[int], others: list[int], number: int
) -> None:
    size = min(len(rows), len(others))
    left = pyarrow.array(rows[:size], pyarrow.int32())
    right = pyarrow.array(others[:size], pyarrow.int32())
    for act in acts(texts(offsets), left, right, number):
        with suppress(FlowkitError):
            act()


class Sly:
    """Speaks Arrow's protocol, and gives what it is told to give."""

    def __init__(self, schema: object, array: object) -> None:
        self._schema, self._array = schema, array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> object:
        """Return something for the two capsules."""
        return self._array

    def __arrow_c_schema__(self) -> object:
        """Return something for the capsule."""
        return self._schema


def test_what_is_no_capsule_or_a_used_one_is_refused() -> None:
    column = pyarrow.array(["a", "b"])
    schema, data = column.__arrow_c_array__()
    native.bucket(Sly(schema, (schema, data)), 4)
    for given_ in ((schema, data), (data, schema), (None, None), (schema,), 5, (schema, schema)):
        sly: Any = Sly(schema, given_)
        for act in (lambda sly=sly: native.bucket(sly, 4), lambda sly=sly: native.gather(sly, sly)):
            with suppress(FlowkitError, TypeError):
                act()
