"""A billion pairs of names: made by blocking, matched natively in shards, shown by one commit.

`flowkit run examples/knowledge_graph/scale.py --pairs 1_000_000_000`, then
`flowkit table scan kg.alike --limit 3`. A run without parameters is small.
"""

import time
from itertools import pairwise

import numpy as np
import pyarrow
from accounting import account, spent, sum_up
from counts import positive_int
from names import TOWN_ROWS, make_lists

from flowkit import FlowSpec, Parameter, Table, current, native, resources, step

ALIKE = pyarrow.schema(
    {"left": pyarrow.int64(), "right": pyarrow.int64(), "score": pyarrow.float64()}
)


class Scale(FlowSpec):
    """Finds the names that are alike in two lists, and says what the time went into."""

    pairs: int = Parameter(
        default="2_000_000", type=positive_int, help="pairs to match, by the million"
    )
    shards: int = Parameter(default="16", type=positive_int, help="tasks that match")
    threshold: float = Parameter(default=0.95, help="similarity of the pairs to keep")
    seed: int = Parameter(default=1, help="decides the names")

    @step
    def start(self):
        """Make both lists, and divide the towns among tasks. Pairs never leave a town."""
        began = time.perf_counter()
        towns = max(1, self.pairs // TOWN_ROWS**2)
        self.left, self.right = make_lists(towns, seed=self.seed)
        work_s = time.perf_counter() - began

        Table.create("kg.alike", ALIKE, exist_ok=True)
        cuts = np.linspace(0, towns, min(self.shards, towns) + 1, dtype=int) * TOWN_ROWS
        self.slices = [(int(first), int(end)) for first, end in pairwise(cuts)]
        self.steps = [spent("start", work_s)]
        self.next(self.match, foreach="slices")

    @resources(cpu=1)
    @step
    def match(self):
        """Match some towns. A batch of a million pairs is made, scored and forgotten at a time."""
        first, end = self.input
        work_s, self.seen = 0.0, 0
        left, right = (one.slice(first, end - first) for one in (self.left, self.right))
        with Table("kg.alike").writer() as writer:
            began = time.perf_counter()
            for rows in native.key_blocks(left["town"], right["town"]):
                scores = pyarrow.array(native.jaro_winkler(left["name"], right["name"], *rows))
                kept = np.flatnonzero(scores.to_numpy() >= self.threshold)
                columns = [first + pyarrow.array(one).to_numpy()[kept].astype(int) for one in rows]
                self.seen += len(scores)
                work_s += time.perf_counter() - began
                writer.write(pyarrow.table([*columns, scores.take(kept)], schema=ALIKE))
                began = time.perf_counter()
        self.part = writer.result
        self.spent = spent("match", work_s)
        self.next(self.commit)

    @step
    def commit(self, inputs):
        """Show the pairs of all tasks at once, in place of what was there."""
        matched = sum_up([one.spent for one in inputs])
        table = Table("kg.alike")
        table.commit([one.part for one in inputs], mode="replace")
        self.kept = table.scan().count()
        self.seen = sum(one.seen for one in inputs)
        self.steps = [*inputs[0].steps, matched, spent("commit", 0)]
        self.next(self.end)

    @step
    def end(self):
        """Say how fast it was, and how much of the time was not spent on making and matching."""
        start, match, _ = self.steps
        seconds = match.at - start.at
        print(f"{self.seen:,} pairs in {seconds:.1f} s: {self.seen / seconds:,.0f} a second")
        print(f"{self.kept:,} are alike")
        print(*account(current.run.created_at.timestamp(), self.steps), sep="\n")


if __name__ == "__main__":
    Scale()
