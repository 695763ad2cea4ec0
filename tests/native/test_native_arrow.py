"""Columns of any library go into the core, and its results into any: by capsules alone."""

from __future__ import annotations

import ctypes
import gc

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flowkit import native
from flowkit.errors import UsageError

VALUES = [3, None, 5, 2**40]


@pytest.fixture(scope="module")
def expected() -> list[int | None]:
    found: list[int | None] = pa.array(native.bucket(pa.array(VALUES), 97)).to_pylist()
    return found


@pytest.mark.parametrize(
    "values",
    [
        pa.chunked_array([VALUES[:1], VALUES[1:]]),
        pl.Series(VALUES),
        pd.Series(VALUES, dtype="int64[pyarrow]"),
    ],
    ids=lambda values: type(values).__module__,
)
def test_columns_of_any_library_are_taken(values: object, expected: list[int | None]) -> None:
    assert pa.array(native.bucket(values, 97)).to_pylist() == expected  # type: ignore[arg-type]


def test_a_result_goes_into_any_library_and_back(expected: list[int | None]) -> None:
    result = native.bucket(pa.array(VALUES), 97)
    assert pl.Series(result).to_list() == expected
    assert pa.field(result).type == pa.int32()
    assert len(native.truncate(result, 3)) == len(VALUES)


def test_a_result_may_be_exported_often_and_outlives_its_object(
    expected: list[int | None],
) -> None:
    result = native.bucket(pa.array(VALUES), 97)
    first, second = pa.array(result), pa.array(result)
    assert first.buffers()[1].address == second.buffers()[1].address
    result.__arrow_c_array__()
    del result, second
    gc.collect()
    assert first.to_pylist() == expected


def test_no_chunks_give_an_empty_array() -> None:
    assert len(native.bucket(pa.chunked_array([], pa.int64()), 4)) == 0


class Torn:
    """Exports what it is told to."""

    def __init__(self, exported: object) -> None:
        self._exported = exported

    def __arrow_c_array__(self, requested_schema: object | None = None) -> object:
        return self._exported


@pytest.mark.parametrize("exported", [None, (), (1, 2), (object(), object(), object())])
def test_an_object_that_breaks_the_protocol_is_refused(exported: object) -> None:
    with pytest.raises(UsageError):
        native.bucket(Torn(exported), 4)  # type: ignore[arg-type]


def test_capsules_that_were_taken_before_are_refused() -> None:
    once = Torn(pa.array(VALUES).__arrow_c_array__())
    native.bucket(once, 4)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="released"):
        native.bucket(once, 4)  # type: ignore[arg-type]


def test_a_stream_that_fails_says_why() -> None:
    def batches() -> object:
        yield pa.record_batch({"a": [1]})
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
    with pytest.raises(UsageError, match="the disk is gone"):
        native.bucket(reader, 4)


class CStream(ctypes.Structure):
    """An `ArrowArrayStream`, whose callbacks may be missing."""

    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.c_void_p),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


@ctypes.CFUNCTYPE(None, ctypes.POINTER(CStream))
def release_stream(stream: object) -> None:
    stream[0].release = None  # type: ignore[index]


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def fail(_stream: object, _out: object) -> int:
    return 5


LAST_ERROR = ctypes.create_string_buffer(b"\xff is no text")


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
def last_error(_stream: object) -> int:
    return ctypes.addressof(LAST_ERROR)


def address(callback: object) -> int | None:
    return ctypes.cast(callback, ctypes.c_void_p).value  # type: ignore[arg-type]


class RawStream:
    """Exports a stream of the given callbacks."""

    def __init__(self, **callbacks: object) -> None:
        found = {name: address(callback) for name, callback in callbacks.items()}
        self._stream = CStream(release=address(release_stream), **found)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return new(ctypes.addressof(self._stream), b"arrow_array_stream", None)


@pytest.mark.parametrize("given", [{}, {"get_schema": fail}, {"get_next": fail}])
def test_a_stream_without_its_callbacks_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="without"):
        native.bucket(RawStream(**given), 4)  # type: ignore[arg-type]


def test_a_stream_may_fail_with_a_reason_that_is_no_text() -> None:
    stream = RawStream(get_schema=fail, get_next=fail, get_last_error=last_error)
    with pytest.raises(UsageError, match="\ufffd is no text"):
        native.bucket(stream, 4)  # type: ignore[arg-type]


def test_capsules_in_the_wrong_places_are_refused() -> None:
    schema, array = pa.array(VALUES).__arrow_c_array__()
    with pytest.raises(UsageError, match="capsule"):
        native.bucket(Torn((array, schema)), 4)  # type: ignore[arg-type]


def test_an_object_that_is_no_column_is_named(expected: list[int | None]) -> None:
    with pytest.raises(UsageError, match="list") as caught:
        native.bucket(VALUES, 4)  # type: ignore[arg-type]
    assert caught.value.hint is not None
