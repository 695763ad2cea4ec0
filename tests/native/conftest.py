"""The same values as Arrow columns of every layout that the core must read alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

MakeColumn: TypeAlias = Callable[[Sequence[object], pa.DataType], Any]


def sliced(values: Sequence[object], kind: pa.DataType) -> Any:
    """A slice, whose offset is no multiple of 8 and whose neighbours must not be read."""
    around = [*values[:1], *([] if None not in values else [None]), *values[-1:]]
    return pa.array([*around, *values, *around], kind).slice(len(around), len(values))


def chunked(values: Sequence[object], kind: pa.DataType) -> Any:
    """Three chunks: a whole array, an empty one and a slice."""
    half = len(values) // 2
    chunks = [pa.array(values[:half], kind), pa.array([], kind), sliced(values[half:], kind)]
    return pa.chunked_array(chunks, type=kind)


@pytest.fixture(params=[sliced, chunked], ids=lambda layout: layout.__name__, scope="session")
def column(request: pytest.FixtureRequest) -> MakeColumn:
    """Make a column of values of a type, in one of the layouts."""
    make: MakeColumn = request.param
    return make
