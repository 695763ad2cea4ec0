"""Load a year of flights into an Iceberg table: a task writes each month, one commit shows all.

`flowkit run examples/flights/load.py`, then `flowkit table show nyc.flights`.
"""

from source import read_flights

from flowkit import DataFrame, FlowSpec, Parameter, Table, step


class LoadFlights(FlowSpec):
    """Writes the flights that left New York in 2013, month by month."""

    table: str = Parameter(default="nyc.flights", help="where to")

    @step
    def start(self):
        """Read the data once; it is kept as Arrow, and every task maps it."""
        self.flights = DataFrame(read_flights())
        Table.create(self.table, self.flights, partition=["month"], exist_ok=True)
        self.months = list(range(1, 13))
        self.next(self.write, foreach="months")

    @step
    def write(self):
        """Write a month's rows. Nobody sees them before they are committed."""
        month = self.flights.sql(f"select * from this where month = {self.input}")
        with Table(self.table).writer() as writer:
            writer.write(month)
        self.part = writer.result
        self.next(self.commit)

    @step
    def commit(self, inputs):
        """Show all months at once, in place of what was there: a second run doubles nothing."""
        table = Table(self.table)
        self.snapshot = table.commit([one.part for one in inputs], mode="replace")
        self.rows = table.scan().count()
        self.files = len(table.scan().plan().files)
        self.next(self.end)

    @step
    def end(self):
        """Say what there is now."""
        print(f"{self.table}: {self.rows:,} flights in {self.files} files")


if __name__ == "__main__":
    LoadFlights()
