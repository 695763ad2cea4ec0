"""What speaks the Arrow PyCapsule protocol, as types: whose Arrow it is does not matter.

Source: https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

from flowkit._native import Array

__all__ = ["Array", "ArrowArray", "ArrowColumn", "ArrowStream"]


class ArrowArray(Protocol):
    """An array in one piece, such as `pyarrow.Array` or `Array`."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Return capsules of an `ArrowSchema` and an `ArrowArray`."""
        ...


class ArrowStream(Protocol):
    """An array in many pieces, such as `pyarrow.ChunkedArray` or a `Series` of Polars or pandas."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule of an `ArrowArrayStream`."""
        ...


ArrowColumn: TypeAlias = ArrowArray | ArrowStream
"""A column of values."""
