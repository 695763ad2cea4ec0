"""Who is who? Resolves two sources of persons, or of titles, into entities of a knowledge graph.

`flowkit run examples/knowledge_graph/resolve.py`, then `flowkit table scan kg.persons_entities`.
"""

from typing import Literal

from counts import positive_int
from matching import (
    SCORED,
    compare,
    connect,
    estimate_weights,
    find_candidates,
    pairs_within,
    score_pairs,
)
from recipes import PERSONS, TITLES
from scoring import draw, rate, trace
from source import read

from flowkit import DataFrame, FlowSpec, Parameter, Table, step


class Resolve(FlowSpec):
    """Blocks, matches in shards, commits once, clusters, and is scored by the gold standard."""

    kind: Literal["persons", "titles"] = Parameter(default="persons", help="what to resolve")
    ignore: list[str] = Parameter(
        default=[], separator=",", help="columns to do without, such as soc_sec_id"
    )
    threshold: float = Parameter(default=0.95, help="how likely two must be the same to be so")
    shards: int = Parameter(default="8", type=positive_int, help="tasks that match")

    @step
    def start(self):
        """Load the records of both sources into a table; lay the gold standard aside."""
        records, self.gold = read(self.kind)
        self.table = f"kg.{self.kind}"
        Table.create(self.table, records, partition=["source"], exist_ok=True).replace(records)
        self.next(self.block)

    @step
    def block(self):
        """List the pairs to look at; estimate from a sample what it is worth that columns agree."""
        recipe = {"persons": PERSONS, "titles": TITLES}[self.kind].without(self.ignore)
        records = DataFrame(Table(self.table).scan().to_arrow().sort_by("id"))
        left, right = (
            records.sql(f"select * from this where source = '{one}'").to_arrow() for one in "ab"
        )
        pairs = DataFrame(find_candidates(recipe, left, right))
        sample = pairs.sample(min(100_000, len(pairs)), seed=0).to_arrow()
        self.weights = estimate_weights(recipe, compare(recipe, left, right, sample))
        self.recipe, self.left, self.right, self.pairs = recipe, left, right, pairs
        Table.create(f"{self.table}_pairs", SCORED, exist_ok=True)

        size = -(-len(pairs) // self.shards)
        self.slices = [(first, size) for first in range(0, len(pairs), size)]
        print(f"{len(pairs):,} pairs of {len(left) * len(right):,} are worth a look")
        self.next(self.match, foreach="slices")

    @step
    def match(self):
        """Score a shard of the pairs in the native core, and write it."""
        pairs = self.pairs.to_arrow().slice(*self.input)
        scored = score_pairs(self.recipe, self.weights, self.left, self.right, pairs)
        with Table(f"{self.table}_pairs").writer() as writer:
            writer.write(scored)
        self.part = writer.result
        self.next(self.cluster)

    @step
    def cluster(self, inputs):
        """Show all scored pairs at once; those that are likely enough connect records."""
        self.merge_artifacts(inputs, include=["gold", "table"])
        pairs = Table(f"{self.table}_pairs")
        pairs.commit([one.part for one in inputs], mode="replace")
        matches = pairs.scan(where=f"probability >= {self.threshold}").to_arrow()
        self.entities = DataFrame(connect(Table(self.table).scan().to_arrow(), matches))
        name = f"{self.table}_entities"
        Table.create(name, self.entities, exist_ok=True).replace(self.entities)
        self.next(self.judge)

    @step
    def judge(self):
        """Hold the entities against the gold standard, which nothing before this has looked at."""
        self.precision, self.recall = rate(pairs_within(self.entities.to_arrow()), self.gold)
        scored = Table(f"{self.table}_pairs").scan().to_arrow()
        self.curve = trace(scored, self.gold)
        self.plot = draw(self.curve, (self.precision, self.recall), title=self.kind)
        self.next(self.end)

    @step
    def end(self):
        """Say what there is now, and how good it is."""
        entities = len(set(self.entities["entity"].to_pylist()))
        print(f"{len(self.entities):,} records are {entities:,} entities")
        print(f"precision {self.precision:.4f}, recall {self.recall:.4f}")


if __name__ == "__main__":
    Resolve()
