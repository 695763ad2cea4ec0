"""Importing once, before tasks are forked, what each of them would import to use a table."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Final

_MODULES: Final = (
    "duckdb",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
    "pyiceberg.expressions.visitors",
    "pyiceberg.io.pyarrow",
    "flowkit.table.committing",
    "flowkit.table.metrics",
    "flowkit.table.partitions",
    "flowkit.table.planning",
    "flowkit.table.reading",
    "flowkit.table.writing",
)


def preload() -> None:
    """Import them. What is not installed is left to the error of whoever needs it.

    Only imports: none of these has threads or connections before it is used, so that a process
    which has imported them can be forked. Polars is not among them: it
    starts threads for its first query, and a child forked after that would wait for them forever.
    """
    for module in _MODULES:
        with suppress(ImportError):
            import_module(module)
