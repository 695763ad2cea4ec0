"""Which records are the same? Candidates by blocking, scores by Fellegi and Sunter's model.

No label is ever seen here: what the agreement of a column is worth is estimated from the candidates
themselves, by expectation maximisation (EM).

Source: Fellegi and Sunter, "A Theory for Record Linkage", 1969.
"""

from collections.abc import Callable
from dataclasses import dataclass

import networkx
import numpy as np
import pyarrow
import pyarrow.compute as pc
from recipes import Recipe

from flowkit import native

SIMILARITIES: dict[str, Callable[..., native.Array]] = {
    "jaro_winkler": native.jaro_winkler,
    "levenshtein": lambda *pairs: native.levenshtein(*pairs, normalised=True),
    "ngram_cosine": native.ngram_cosine,
    "token_set_jaccard": native.token_set_jaccard,
}

SCORED = pyarrow.schema(
    {
        "a": pyarrow.string(),
        "b": pyarrow.string(),
        "bits": pyarrow.float64(),
        "probability": pyarrow.float64(),
    }
)
"""Pairs of ids; the logarithm of the odds that they are the same, to base 2; the probability."""


@dataclass(frozen=True)
class Weights:
    """What each level of each comparison tells, in bits, and what is known before: the prior."""

    bits: tuple[np.ndarray, ...]
    prior: float


def joined(records: pyarrow.Table, columns: tuple[str, ...], *, nulls: str) -> pyarrow.Array:
    """Make one text of columns; a null makes it null (`emit_null`), or is left out (`skip`)."""
    return pc.binary_join_element_wise(
        *(records[column] for column in columns), " ", null_handling=nulls
    )


def find_candidates(recipe: Recipe, left: pyarrow.Table, right: pyarrow.Table) -> pyarrow.Table:
    """List the pairs of rows to look at, each once, in a fixed order."""
    found = [
        native.key_blocks(
            joined(left, columns, nulls="emit_null"), joined(right, columns, nulls="emit_null")
        )
        for columns in recipe.blocks
    ]
    texts = joined(left, recipe.alike, nulls="skip"), joined(right, recipe.alike, nulls="skip")
    found.append(native.minhash_lsh(*texts, ngram=2, bands=40))
    pairs = pyarrow.concat_tables(pyarrow.table(batches) for batches in found)
    return (
        pairs.group_by(["left_index", "right_index"])
        .aggregate([])
        .sort_by([("left_index", "ascending"), ("right_index", "ascending")])
    )


def compare(
    recipe: Recipe, left: pyarrow.Table, right: pyarrow.Table, pairs: pyarrow.Table
) -> np.ndarray:
    """Say how far each pair agrees in each column: (pairs, comparisons) int8.

    0 stands for a value that is missing, 1 for one below all thresholds, and so on up.
    """
    levels = np.empty((len(pairs), len(recipe.comparisons)), dtype=np.int8)
    for number, one in enumerate(recipe.comparisons):
        scores = SIMILARITIES[one.similarity](
            left[one.column], right[one.column], pairs["left_index"], pairs["right_index"]
        )
        values = pyarrow.array(scores).to_numpy(zero_copy_only=False)
        reached = np.searchsorted(one.thresholds, values, side="right") + 1
        levels[:, number] = np.where(np.isnan(values), 0, reached)
    return levels


def estimate_weights(recipe: Recipe, levels: np.ndarray, *, rounds: int = 50) -> Weights:
    """Estimate by EM how often each level is seen among matches, and how often among others."""
    patterns, counts = np.unique(levels, axis=0, return_counts=True)
    sizes = [len(one.thresholds) + 2 for one in recipe.comparisons]
    # A start that says no more than that matches agree: each level up doubles the odds.
    bits = [np.append(0, np.arange(1, size) - size / 2) for size in sizes]
    weights = Weights(tuple(bits), np.log2(0.1 / 0.9))
    for _ in range(rounds):
        matches = counts * probabilities(score(patterns, weights))
        others = counts - matches
        weights = Weights(
            tuple(
                weigh(patterns[:, number], matches, others, size)
                for number, size in enumerate(sizes)
            ),
            np.log2(matches.sum() / others.sum()),
        )
    return weights


def weigh(column: np.ndarray, matches: np.ndarray, others: np.ndarray, size: int) -> np.ndarray:
    """Return what each level tells, in bits; a missing value tells nothing."""
    among_matches, among_others = (
        np.bincount(column, among, minlength=size)[1:] + 0.5 for among in (matches, others)
    )
    bits = np.log2(among_matches / among_matches.sum()) - np.log2(among_others / among_others.sum())
    return np.concatenate([[0.0], bits])


def score(levels: np.ndarray, weights: Weights) -> np.ndarray:
    """Add up what the columns tell, in bits: (pairs,) float64, the logarithm of the odds."""
    told = (bits[levels[:, number]] for number, bits in enumerate(weights.bits))
    return weights.prior + sum(told)


def probabilities(bits: np.ndarray) -> np.ndarray:
    """Turn the logarithm of odds into probabilities."""
    return 1 / (1 + np.exp2(-bits))


def score_pairs(
    recipe: Recipe,
    weights: Weights,
    left: pyarrow.Table,
    right: pyarrow.Table,
    pairs: pyarrow.Table,
) -> pyarrow.Table:
    """Compare pairs and score them: the rows of `SCORED`, by id."""
    bits = score(compare(recipe, left, right, pairs), weights)
    ids = left["id"].take(pairs["left_index"]), right["id"].take(pairs["right_index"])
    return pyarrow.table([*ids, bits, probabilities(bits)], schema=SCORED)


def connect(records: pyarrow.Table, matches: pyarrow.Table) -> pyarrow.Table:
    """Make an entity of all records that matches connect; it is named after its first record."""
    graph = networkx.Graph()
    graph.add_nodes_from(zip(*records.select(["source", "id"]).to_pydict().values(), strict=True))
    for a, b in zip(matches["a"].to_pylist(), matches["b"].to_pylist(), strict=True):
        graph.add_edge(("a", a), ("b", b))
    rows = [
        {"entity": ":".join(min(members)), "source": source, "id": name}
        for members in networkx.connected_components(graph)
        for source, name in sorted(members)
    ]
    return pyarrow.Table.from_pylist(rows).sort_by(
        [("entity", "ascending"), ("source", "ascending"), ("id", "ascending")]
    )


def pairs_within(entities: pyarrow.Table) -> set[tuple[str, str]]:
    """List the pairs of a record of `a` and one of `b` that are the same entity."""
    of_a, of_b = (
        entities.filter(pc.field("source") == source).select(["entity", "id"]) for source in "ab"
    )
    pairs = of_a.join(of_b, "entity", join_type="inner", right_suffix="_b")
    return set(zip(pairs["id"].to_pylist(), pairs["id_b"].to_pylist(), strict=True))
