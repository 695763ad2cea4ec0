"""Names as they are needed by the million: made of syllables, the same for the same seed."""

import numpy as np
import pyarrow
import pyarrow.compute as pc

SYLLABLES = [first + second for first in "bcdfghklmnprstvw" for second in "aeiou"]
TOWN_ROWS = 1000
"""How many of each list live in a town."""


def make_lists(towns: int, *, seed: int) -> tuple[pyarrow.Table, pyarrow.Table]:
    """Make two lists of names, town by town: 1,000 rows a town, each with `town` and `name`.

    Half of the second list are names of the first, in which a letter was forgotten.
    """
    generator = np.random.default_rng(seed)
    rows = towns * TOWN_ROWS
    left, others = make_names(generator, rows), make_names(generator, rows)
    forgetful = pc.utf8_replace_slice(left, 4, 5, "")
    right = pc.if_else(pyarrow.array(generator.random(rows) < 0.5), forgetful, others)
    town = pyarrow.array(np.repeat(np.arange(towns, dtype=np.int32), TOWN_ROWS))
    return tuple(pyarrow.table({"town": town, "name": names}) for names in (left, right))


def make_names(generator: np.random.Generator, rows: int) -> pyarrow.Array:
    """Make names of two words, such as `lisuko vorani`."""
    syllables = pyarrow.array(SYLLABLES)
    drawn = generator.integers(0, len(SYLLABLES), size=(6, rows))
    first, second = (
        pc.binary_join_element_wise(*(syllables.take(pyarrow.array(one)) for one in word), "")
        for word in (drawn[:3], drawn[3:])
    )
    return pc.binary_join_element_wise(first, second, " ")
