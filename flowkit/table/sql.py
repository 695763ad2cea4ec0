"""SQL over Arrow tables, by DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.errors import UsageError

if TYPE_CHECKING:
    import pyarrow


class QueryInvalid(UsageError):
    """DuckDB does not take a query."""


def run_sql(query: str, **tables: pyarrow.Table) -> pyarrow.Table:
    """Answer a query over tables by name, from their memory; files it may not touch.

    Raises:
        QueryInvalid: the query cannot be parsed or run.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        # A query over what is in memory has no business with files, or with Python's variables.
        connection.execute("set python_enable_replacements = false")
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute("set enable_external_access = false")
        try:
            answer = connection.sql(query)
            if answer is None:
                raise QueryInvalid("the statement answers with no rows", hint="write a `select`")
            return answer.to_arrow_table()
        except duckdb.Error as error:
            raise QueryInvalid(
                f"DuckDB does not take the query: {str(error).strip()}",
                hint=f"what can be asked about: {', '.join(f'`{name}`' for name in tables)}",
            ) from error
