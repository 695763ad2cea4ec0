"""Who is late? Scans the flights in shards, sums up in DuckDB and Polars, writes a second table.

Once `load.py` has run: `flowkit run examples/flights/rank.py --min-flights 1000`, then
`flowkit table scan nyc.delays`.
"""

import polars

from flowkit import DataFrame, FlowSpec, Parameter, Table, step

BY_CARRIER = """
select carrier, origin, count(*) as flights, sum(arr_delay) as late_minutes,
       count(*) filter (where arr_delay > 30) as late_flights
from this group by all order by all
"""


class RankCarriers(FlowSpec):
    """Ranks the carriers of each airport by how late their flights arrive."""

    flights: str = Parameter(default="nyc.flights", help="the table that `load.py` has written")
    delays: str = Parameter(default="nyc.delays", help="where to write the ranking")
    min_flights: int = Parameter(default=500, help="leave carriers with fewer flights out")

    @step
    def start(self):
        """Divide the rows of one snapshot among tasks; only three columns are ever read."""
        scan = Table(self.flights).scan(
            columns=["carrier", "origin", "arr_delay"], where="arr_delay is not null"
        )
        self.snapshot = scan.snapshot
        self.shards = scan.shards(4)
        self.next(self.count, foreach="shards")

    @step
    def count(self):
        """Sum up a shard: DuckDB reads the Arrow columns where they are."""
        self.counts = DataFrame.read(self.input).sql(BY_CARRIER)
        self.next(self.rank)

    @step
    def rank(self, inputs):
        """Add the shards up in Polars, and write the ranking."""
        counts = polars.concat([one.counts.to_polars() for one in inputs])
        ranking = (
            counts.group_by("carrier", "origin")
            .agg(polars.col("flights", "late_minutes", "late_flights").sum().cast(polars.Int64))
            .filter(polars.col("flights") >= self.min_flights)
            .select(
                "origin",
                "carrier",
                "flights",
                mean_delay=(polars.col("late_minutes") / polars.col("flights")).round(2),
                late_share=(polars.col("late_flights") / polars.col("flights")).round(3),
            )
            .sort("origin", "mean_delay", descending=[False, True])
        )
        Table.create(self.delays, ranking, exist_ok=True).replace(ranking)
        self.ranking = DataFrame(ranking)
        self.merge_artifacts(inputs, include=["snapshot"])
        self.next(self.end)

    @step
    def end(self):
        """Show who is latest where, and which runs have written the table."""
        worst = self.ranking.sql(
            "select origin, arg_max(carrier, mean_delay) as carrier, max(mean_delay) as mean_delay "
            "from this group by origin order by origin"
        )
        for origin, carrier, delay in zip(*worst.to_arrow().to_pydict().values(), strict=True):
            print(f"{origin}: {carrier} arrives {delay:.1f} minutes late on average")
        for version in Table(self.delays).history():
            print(f"written by {version.run}: {version.total_rows} rows")


if __name__ == "__main__":
    RankCarriers()
