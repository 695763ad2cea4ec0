"""Arrow data as one IPC stream, written and read without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from flowkit.ports import Buffer, Serializer

if TYPE_CHECKING:
    import pyarrow


class ArrowSerializer(Serializer):
    """Arrow tables, record batches, arrays, chunked arrays and schemas.

    Loaded data lies in the buffer that it was loaded from.
    """

    tag = "arrow"

    def accepts(self, value: object) -> bool:
        """Say whether an IPC stream keeps the value: rows without columns it does not."""
        import pyarrow

        if isinstance(value, pyarrow.Table):
            return bool(value.num_columns > 0 or value.num_rows == 0)
        return isinstance(
            value, pyarrow.RecordBatch | pyarrow.Array | pyarrow.ChunkedArray | pyarrow.Schema
        )

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer | Sequence[Buffer]]]:
        """Return the kind, and the stream in pieces that alias the value."""
        import pyarrow

        if isinstance(value, pyarrow.Table):
            kind, schema, batches = "table", value.schema, value.to_batches()
        elif isinstance(value, pyarrow.RecordBatch):
            kind, schema, batches = "batch", value.schema, [value]
        elif isinstance(value, pyarrow.Schema):
            kind, schema, batches = "schema", value, []
        else:
            kind = "array" if isinstance(value, pyarrow.Array) else "chunked"
            assert isinstance(value, pyarrow.Array | pyarrow.ChunkedArray)
            chunks = [value] if isinstance(value, pyarrow.Array) else value.chunks
            schema = pyarrow.schema([pyarrow.field("", value.type)])
            batches = [pyarrow.record_batch([chunk], schema=schema) for chunk in chunks]
        return msgspec.json.encode({"kind": kind}), (stream(schema, batches),)

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Read the stream in place."""
        import pyarrow

        kind = msgspec.json.decode(head)["kind"]
        reader = pyarrow.ipc.open_stream(pyarrow.py_buffer(buffers[0]))
        if kind == "schema":
            return reader.schema
        if kind == "batch":
            return reader.read_next_batch()
        if kind == "array":
            return reader.read_next_batch().column(0)
        table = reader.read_all()
        return table if kind == "table" else table.column(0)


class FrameSerializer(Serializer):
    """Data frames of flowkit's own: their Arrow table, once, mapped when it is loaded."""

    tag = "frame"

    def accepts(self, value: object) -> bool:
        """Say whether the value is a data frame that an IPC stream keeps."""
        frame: Any = value
        return type(value).__qualname__ == "DataFrame" and ArrowSerializer().accepts(
            frame.to_arrow()
        )

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer | Sequence[Buffer]]]:
        """Return an empty head, and the stream in pieces that alias the frame."""
        frame: Any = value
        table = frame.to_arrow()
        return b"", (stream(table.schema, table.to_batches()),)

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Read the stream in place."""
        import pyarrow

        table = pyarrow.ipc.open_stream(pyarrow.py_buffer(buffers[0])).read_all()
        # By name: tables are a higher room, which the store knows nothing of.
        return import_module("flowkit.table").DataFrame(table)


def stream(schema: pyarrow.Schema, batches: Sequence[pyarrow.RecordBatch]) -> Sequence[memoryview]:
    """Return an IPC stream in pieces; those that hold columns alias them."""
    import pyarrow

    sink = _Sink()
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.pieces


class _Sink:
    """A file for Arrow to write to that keeps what it is given instead of copying it."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []

    def write(self, piece: Any) -> int:
        view = memoryview(piece)
        self.pieces.append(view)
        return view.nbytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to release: the pieces live as long as somebody uses them."""
