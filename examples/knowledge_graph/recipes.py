"""How persons and titles are resolved: what to block on, what to compare, from which similarity up.

The thresholds only cut similarities into levels, such as equal, close, and unlike; what a level
is worth is estimated from the data.
"""

from dataclasses import dataclass, replace

from flowkit import UsageError


@dataclass(frozen=True)
class Comparison:
    """How a column is compared: by which similarity, cut at which thresholds."""

    column: str
    similarity: str
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How records are resolved.

    Two records are a candidate if they agree in all columns of one of the `blocks`, or if the
    texts made of the columns `alike` share many pairs of letters.
    """

    blocks: tuple[tuple[str, ...], ...]
    alike: tuple[str, ...]
    comparisons: tuple[Comparison, ...]

    def without(self, columns: list[str]) -> "Recipe":
        """Leave columns out, to see what can be had where nobody knows them."""
        compared = [one.column for one in self.comparisons]
        for column in columns:
            if column not in compared:
                raise UsageError(
                    f"no column `{column}` is compared", hint=f"there are {', '.join(compared)}"
                )
        return replace(
            self,
            blocks=tuple(block for block in self.blocks if not set(block) & set(columns)),
            alike=tuple(column for column in self.alike if column not in columns),
            comparisons=tuple(one for one in self.comparisons if one.column not in columns),
        )


NAME = ("jaro_winkler", (0.8, 0.92, 1.0))

PERSONS = Recipe(
    blocks=(
        ("date_of_birth",),
        ("soc_sec_id",),
        ("given_name", "surname"),
        ("given_name", "postcode"),
        ("surname", "postcode"),
        ("address_1",),
    ),
    alike=("given_name", "surname", "address_1", "suburb"),
    comparisons=(
        Comparison("given_name", *NAME),
        Comparison("surname", *NAME),
        Comparison("date_of_birth", "levenshtein", (0.75, 0.87, 1.0)),
        Comparison("soc_sec_id", "levenshtein", (0.7, 0.85, 1.0)),
        Comparison("street_number", "levenshtein", (0.5, 1.0)),
        Comparison("address_1", "ngram_cosine", (0.4, 0.7)),
        Comparison("suburb", *NAME),
        Comparison("postcode", "levenshtein", (0.75, 1.0)),
    ),
)

TITLES = Recipe(
    blocks=(("title",), ("authors", "year")),
    alike=("title",),
    comparisons=(
        Comparison("title", "ngram_cosine", (0.4, 0.6, 0.8, 0.95)),
        Comparison("authors", "token_set_jaccard", (0.2, 0.5, 0.8)),
        Comparison("venue", "levenshtein", (1.0,)),
        Comparison("year", "levenshtein", (0.75, 1.0)),
    ),
)
