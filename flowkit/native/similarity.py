"""Similarities of strings, pair by pair, for entity resolution at billions of pairs.

Pair p is row `left_index[p]` of `left` and row `right_index[p]` of `right`. What has to be done
for a row is done once in a call, however many pairs it is in: give many pairs at once. Strings are
compared by code points, whatever their length. A pair with a null is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit import _native
from flowkit.native.arguments import check_integer, check_switch, check_threads

if TYPE_CHECKING:
    from flowkit.native.arrow import Array, ArrowColumn


def jaro(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    threads: int = 1,
) -> Array:
    """Return Jaro's similarity of each pair: 1 for strings that are equal, or both empty.

    Args:
        left: strings of any layout, in UTF-8.
        right: the same.
        left_index: integers, none null: rows of `left`, one a pair.
        right_index: rows of `right`, as many.
        threads: how many may work, this one among them.

    Returns:
        (pairs,) float64 in [0, 1].

    Raises:
        UsageError: an index is null or out of range, their numbers differ, the type of a column is
            another, or an array is malformed or not UTF-8.

    Source:
        Jaro, "Advances in Record-Linkage Methodology", 1989.

    >>> import pyarrow
    >>> names, first, second = (pyarrow.array(one) for one in (["MARTHA", "MARHTA"], [0], [1]))
    >>> round(pyarrow.array(jaro(names, names, first, second))[0].as_py(), 4)
    0.9444
    """
    return _native.jaro(left, right, left_index, right_index, check_threads(threads))


def jaro_winkler(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    threads: int = 1,
) -> Array:
    """Return Jaro's similarity of each pair, with Winkler's bonus for a common prefix.

    The bonus is a tenth of what is missing to 1, for each of up to four code points, if Jaro's
    similarity is above 0.7. Else as `jaro`.

    Source:
        Winkler, "String Comparator Metrics and Enhanced Decision Rules", 1990.

    >>> import pyarrow
    >>> names, first, second = (pyarrow.array(one) for one in (["MARTHA", "MARHTA"], [0], [1]))
    >>> round(pyarrow.array(jaro_winkler(names, names, first, second))[0].as_py(), 4)
    0.9611
    """
    return _native.jaro_winkler(left, right, left_index, right_index, check_threads(threads))


def levenshtein(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    normalised: bool = False,
    threads: int = 1,
) -> Array:
    """Return how many code points of each pair must be put in, left out or replaced.

    Args:
        left: strings, as for `jaro`.
        right: the same.
        left_index: rows of `left`, as for `jaro`.
        right_index: rows of `right`.
        normalised: return a similarity instead: 1 - edits / code points of the longer string.
        threads: how many may work, this one among them.

    Returns:
        (pairs,) int32; float64 in [0, 1] if `normalised`.

    Raises:
        UsageError: as for `jaro`.

    Source:
        Myers, "A Fast Bit-Vector Algorithm for Approximate String Matching", 1999.

    >>> import pyarrow
    >>> words, first, second = (pyarrow.array(one) for one in (["kitten", "sitting"], [0], [1]))
    >>> pyarrow.array(levenshtein(words, words, first, second)).to_pylist()
    [3]
    """
    is_normalised = check_switch("normalised", normalised)
    return _native.levenshtein(
        left, right, left_index, right_index, is_normalised, check_threads(threads)
    )


def damerau_levenshtein(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    normalised: bool = False,
    threads: int = 1,
) -> Array:
    """Return how many edits each pair is apart, where neighbours may also change places.

    Between the two that change places, others may be put in or left out: this is not the
    restricted kind, called optimal string alignment. Else as `levenshtein`; the time for a pair
    is the product of its lengths.

    Source:
        Lowrance and Wagner, "An Extension of the String-to-String Correction Problem", 1975.

    >>> import pyarrow
    >>> words, first, second = (pyarrow.array(one) for one in (["ca", "abc"], [0], [1]))
    >>> pyarrow.array(damerau_levenshtein(words, words, first, second)).to_pylist()
    [2]
    """
    is_normalised = check_switch("normalised", normalised)
    return _native.damerau_levenshtein(
        left, right, left_index, right_index, is_normalised, check_threads(threads)
    )


def token_set_jaccard(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    threads: int = 1,
) -> Array:
    """Return how many tokens the strings of each pair share, divided by how many they have.

    Tokens are what lies between white space, as in `str.split`; one that comes twice counts once.
    Two strings without tokens are alike. Else as `jaro`.

    >>> import pyarrow
    >>> names = pyarrow.array(["Ada King Lovelace", "Lovelace Ada"])
    >>> first, second = pyarrow.array([0]), pyarrow.array([1])
    >>> round(pyarrow.array(token_set_jaccard(names, names, first, second))[0].as_py(), 2)
    0.67
    """
    return _native.token_set_jaccard(left, right, left_index, right_index, check_threads(threads))


def ngram_cosine(
    left: ArrowColumn,
    right: ArrowColumn,
    left_index: ArrowColumn,
    right_index: ArrowColumn,
    *,
    n: int = 3,
    threads: int = 1,
) -> Array:
    """Return the cosine of how often each n-gram is in the strings of each pair.

    An n-gram is `n` code points, 1 to 64, one after the other; a string that is shorter and not
    empty is its own only n-gram. Two empty strings are alike, and one is unlike all others. Else as
    `jaro`.

    >>> import pyarrow
    >>> words, first, second = (pyarrow.array(one) for one in (["banana", "bandana"], [0], [1]))
    >>> round(pyarrow.array(ngram_cosine(words, words, first, second))[0].as_py(), 4)
    0.5477
    """
    size = check_integer("n", n, 1, 64)
    return _native.ngram_cosine(left, right, left_index, right_index, size, check_threads(threads))
