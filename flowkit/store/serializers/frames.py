"""pandas objects as Arrow streams, where that keeps them exactly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec

from flowkit.ports import Buffer, Serializer
from flowkit.store.serializers.arrow import stream
from flowkit.store.serializers.plain import is_text

if TYPE_CHECKING:
    import pandas
    import pyarrow

_VALUE = "value"
_NUMPY_KINDS = frozenset("biufmM")
_MASKED = frozenset(
    ["boolean", "Float32", "Float64"]
    + [f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
)


class PandasSerializer(Serializer):
    """Data frames, series and indexes of types that Arrow gives back exactly.

    Other frames (objects other than text, intervals, periods, complex numbers, nested indexes,
    labels that are not text, `attrs`) are left to pickle, which keeps everything.
    """

    tag = "pandas"

    def accepts(self, value: object) -> bool:
        """Say whether the round trip is exact, by trying it with one row."""
        if "pyarrow" not in sys.modules:
            return False
        import pandas

        kind = type(value)
        if kind is pandas.DataFrame:
            frame: Any = value
            return _labels_are_plain(frame) and _is_exact(frame)
        if kind is pandas.Series or kind is pandas.Index or kind is pandas.DatetimeIndex:
            named: Any = value
            return (
                (named.name is None or type(named.name) is str)
                and not getattr(named, "attrs", None)
                and getattr(named, "freq", None) is None
                and _is_exact(_framed(named))
            )
        return False

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer | Sequence[Buffer]]]:
        """Return the kind and name, and the stream in pieces that alias the value."""
        import pandas
        import pyarrow

        if isinstance(value, pandas.DataFrame):
            frame, kind, name = value, "frame", None
        else:
            assert isinstance(value, pandas.Series | pandas.Index)
            frame, name = _framed(value), value.name
            kind = "series" if isinstance(value, pandas.Series) else "index"
        table = pyarrow.Table.from_pandas(frame, nthreads=1)
        head = {"kind": kind, "name": name, "objects": _object_columns(frame)}
        return msgspec.json.encode(head), (stream(table.schema, table.to_batches()),)

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Build the object; frames own their memory and may be changed in place."""
        import pandas
        import pyarrow

        described = msgspec.json.decode(head)
        table = pyarrow.ipc.open_stream(pyarrow.py_buffer(buffers[0])).read_all()
        frame = _to_frame(table, described["objects"])
        if described["kind"] == "frame":
            return frame
        if described["kind"] == "series":
            series = frame[_VALUE]
            series.name = described["name"]
            return series
        index = pandas.Index(frame[_VALUE])
        index.name = described["name"]
        return index


def _framed(value: Any) -> pandas.DataFrame:
    """Return a frame with the values of a series or index as its only column."""
    import pandas

    if isinstance(value, pandas.Series):
        return value.rename(_VALUE).to_frame()
    return pandas.DataFrame({_VALUE: value})


def _object_columns(frame: pandas.DataFrame) -> list[str]:
    """Return the labels of columns of objects: of text, as far as they are accepted."""
    import numpy

    objects = numpy.dtype(object)
    return [str(label) for label, dtype in frame.dtypes.items() if dtype == objects]


def _to_frame(table: pyarrow.Table, objects: Sequence[str]) -> pandas.DataFrame:
    """Return a frame with the types that Arrow alone would lose."""
    import pandas

    frame: pandas.DataFrame = table.to_pandas(use_threads=False)
    for name in objects:
        frame[name] = frame[name].astype(object)
    # pandas' own UTC is `datetime.UTC`; pyarrow makes another object for it.
    for label, dtype in frame.dtypes.items():
        if isinstance(dtype, pandas.DatetimeTZDtype) and str(dtype.tz) == "UTC":
            frame[label] = frame[label].dt.tz_convert(UTC)
    if isinstance(frame.index, pandas.DatetimeIndex) and str(frame.index.tz) == "UTC":
        frame.index = frame.index.tz_convert(UTC)
    return frame


def _labels_are_plain(frame: pandas.DataFrame) -> bool:
    """Say whether labels are distinct texts that mean nothing to pyarrow."""
    labels = frame.columns
    return (
        len(labels) > 0
        and not frame.attrs
        and frame.flags.allows_duplicate_labels
        and all(type(label) is str and not label.startswith("__index_level_") for label in labels)
        and labels.is_unique
        and frame.index.name not in labels
        and (labels.name is None or type(labels.name) is str)
    )


def _is_exact(frame: pandas.DataFrame) -> bool:
    """Say whether Arrow gives a frame back as it is, but for the values in its columns."""
    import pandas
    import pyarrow

    index = frame.index
    if type(index) not in (pandas.RangeIndex, pandas.Index, pandas.DatetimeIndex):
        return False
    if getattr(index, "freq", None) is not None:
        return False
    if not (index.name is None or type(index.name) is str):
        return False
    columns = [frame.iloc[:, at] for at in range(frame.shape[1])]
    if not all(map(_is_plain, [*columns, index])):
        return False
    # One row and not none: from none, Arrow could not tell what a column of objects holds.
    rows = frame.iloc[:1]
    try:
        table = pyarrow.Table.from_pandas(rows, nthreads=1)
        back = _to_frame(table, _object_columns(rows))
    except (pyarrow.ArrowException, TypeError, ValueError):
        return False
    return (
        all(map(_same_type, rows.dtypes, back.dtypes))
        and _same_type(rows.index.dtype, back.index.dtype)
        and type(rows.index) is type(back.index)
        and _same_type(rows.columns.dtype, back.columns.dtype)
        and rows.columns.equals(back.columns)
        and rows.columns.name == back.columns.name
        and rows.index.name == back.index.name
    )


def _is_plain(values: Any) -> bool:
    """Say whether a column's or index's values are of a type that Arrow has too."""
    import numpy
    import pandas

    dtype = values.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        # A stream without rows carries no categories.
        return len(values) > 0 and _is_plain(dtype.categories)
    if isinstance(dtype, numpy.dtype):
        if dtype.kind == "O":
            return len(values) > 0 and all(type(one) is str and is_text(one) for one in values)
        return dtype.kind in _NUMPY_KINDS
    return isinstance(dtype, pandas.StringDtype | pandas.DatetimeTZDtype) or str(dtype) in _MASKED


def _same_type(one: Any, other: Any) -> bool:
    """Say whether types are equal in all that their own comparison overlooks."""
    import pandas

    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, pandas.CategoricalDtype):
        mine, theirs = one.categories, other.categories
        return _same_type(mine.dtype, theirs.dtype) and list(mine) == list(theirs)
    if isinstance(one, pandas.DatetimeTZDtype):
        return type(one.tz) is type(other.tz)
    return True
