"""Blocking: which pairs of rows to look at, out of all, made batch by batch.

Pairs are of a row of `left` and a row of `right`; without `right`, of two rows of `left`, of which
the first is the smaller. No pair comes twice, and none with a null. The order is fixed: it depends
on the columns alone. What is held grows with the rows and not with the pairs, so billions are fine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit import _native
from flowkit._native import PairBatches
from flowkit.native.arguments import INT32_MAX, INT64_MAX, check_integer, check_threads

if TYPE_CHECKING:
    from flowkit.native.arrow import ArrowColumn

__all__ = ["PairBatches", "key_blocks", "minhash_lsh", "sorted_neighbourhood"]

BATCH_ROWS = 1 << 20
"""Pairs of a batch: kernels do for each call what is to be done for a row, so not too few."""


def key_blocks(
    left_keys: ArrowColumn, right_keys: ArrowColumn | None = None, *, batch_rows: int = BATCH_ROWS
) -> PairBatches:
    """Pair rows that have equal keys, rising by the left row, then by the right.

    Args:
        left_keys: strings, binary, or values of a fixed size but floats and booleans.
        right_keys: the same type, but for the layout of strings or binary.
        batch_rows: pairs of a batch, 1 to 2147483647.

    Returns:
        What gives batches of `left_index` and `right_index`, (pairs,) int32, as often as it is gone
        through: pairs of arrays by iteration, or an Arrow stream of structs.

    Raises:
        UsageError: types do not go together, there are over 2147483647 rows in all, `batch_rows` is
            out of range, or an array is malformed.

    >>> import pyarrow
    >>> towns = pyarrow.array(["Bath", "York", None, "Bath", None])
    >>> for left_index, right_index in key_blocks(towns):
    ...     print(pyarrow.array(left_index).to_pylist(), pyarrow.array(right_index).to_pylist())
    [0] [3]
    """
    return _native.key_blocks(left_keys, right_keys, _check_batch_rows(batch_rows))


def sorted_neighbourhood(
    left: ArrowColumn,
    right: ArrowColumn | None = None,
    *,
    window: int = 10,
    batch_rows: int = BATCH_ROWS,
) -> PairBatches:
    """Pair rows that are fewer than `window` places apart, once all are sorted by their keys.

    Rows with equal keys are sorted by column, then by row. Pairs come by the place of the first of
    the two, then by that of the second.

    Args:
        left: keys: strings or binary, sorted by their bytes; integers, dates, times or durations,
            by their value.
        right: the same type, but for the layout of strings or binary.
        window: at least 2, which pairs only neighbours.
        batch_rows: pairs of a batch, 1 to 2147483647.

    Returns:
        As `key_blocks`.

    Raises:
        UsageError: as for `key_blocks`; `window` is below 2.

    Source:
        Hernández and Stolfo, "The Merge/Purge Problem for Large Databases", 1995.

    >>> import pyarrow
    >>> names = pyarrow.array(["Smyth", "Jones", "Smith", "Jonas"])
    >>> batches = sorted_neighbourhood(names, window=2)
    >>> pyarrow.table(batches).to_pydict()
    {'left_index': [1, 1, 0], 'right_index': [3, 2, 2]}
    """
    return _native.sorted_neighbourhood(
        left,
        right,
        check_integer("window", window, 2, INT64_MAX),
        _check_batch_rows(batch_rows),
    )


def minhash_lsh(
    left: ArrowColumn,
    right: ArrowColumn | None = None,
    *,
    ngram: int = 3,
    bands: int = 20,
    rows: int = 5,
    seed: int = 0,
    batch_rows: int = BATCH_ROWS,
    threads: int = 1,
) -> PairBatches:
    """Pair strings that are likely to share many n-grams, by locality-sensitive hashing.

    Each string is a set of n-grams of code points; one that is shorter is its own only n-gram. Of
    each set `bands` times `rows` minima are taken, in as many random orders; two strings make a
    pair if they agree in all `rows` of a band. So a pair whose sets have Jaccard similarity j is
    found with a probability of about `1 - (1 - j**rows)**bands`, which rises from low to high near
    `j = (1 / bands)**(1 / rows)`. Pairs rise by the left row, then by the first band in which they
    meet, then by the right row. An empty string makes none.

    Args:
        left: strings of any layout, in UTF-8.
        right: the same.
        ngram: code points of an n-gram, 1 to 64.
        bands: 1 to 1024; more find more.
        rows: minima of a band, 1 to 1024, with `bands * rows` at most 4096; more find less.
        seed: of the orders, 0 to 2**64 - 1: the same seed gives the same pairs for ever.
        batch_rows: pairs of a batch, 1 to 2147483647.
        threads: how many may work on the signatures, this one among them; pairs are made by the
            one that goes through them.

    Returns:
        As `key_blocks`.

    Raises:
        UsageError: as for `key_blocks`; a column is not of strings in UTF-8, or a number is out of
            range.

    Source:
        Broder, "On the resemblance and containment of documents", 1997; Indyk and Motwani,
        "Approximate nearest neighbors", 1998.

    >>> import pyarrow
    >>> names = pyarrow.array(["Ada Lovelace", "Grace Hopper", "Ada Lovelase"])
    >>> pyarrow.table(minhash_lsh(names, ngram=2, rows=2)).to_pydict()
    {'left_index': [0], 'right_index': [2]}
    """
    return _native.minhash_lsh(
        left,
        right,
        check_integer("ngram", ngram, 1, 64),
        check_integer("bands", bands, 1, 1024),
        check_integer("rows", rows, 1, 1024),
        check_integer("seed", seed, 0, 2**64 - 1),
        _check_batch_rows(batch_rows),
        check_threads(threads),
    )


def _check_batch_rows(batch_rows: int) -> int:
    return check_integer("batch_rows", batch_rows, 1, INT32_MAX)
