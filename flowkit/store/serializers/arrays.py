"""NumPy arrays as raw elements with a JSON head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flowkit.ports import Buffer, Serializer

if TYPE_CHECKING:
    import numpy


class NumpySerializer(Serializer):
    """Exactly `numpy.ndarray`, of any type without objects; loaded arrays are writable.

    C and Fortran order are kept; other layouts are copied into C order.
    """

    tag = "numpy"

    def accepts(self, value: object) -> bool:
        """Say whether the array's type can be named, and its elements are plain bytes."""
        import numpy

        if type(value) is not numpy.ndarray:
            return False
        dtype = value.dtype
        if dtype.hasobject or dtype.itemsize == 0 or dtype.metadata or dtype.isalignedstruct:
            return False
        try:
            return bool(_read_dtype(_name_dtype(dtype)) == dtype)
        except (TypeError, ValueError):
            return False

    def dump(self, value: object) -> tuple[bytes, Sequence[Buffer]]:
        """Return type and shape, and a view of the elements."""
        import numpy

        assert isinstance(value, numpy.ndarray)
        fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        order = "F" if fortran else "C"
        flat = (value.T if fortran else numpy.ascontiguousarray(value)).reshape(-1)
        head = {"dtype": _name_dtype(value.dtype), "order": order, "shape": value.shape}
        return msgspec.json.encode(head), (flat.view(numpy.uint8).data,)

    def load(self, head: bytes, buffers: Sequence[memoryview]) -> object:
        """Build the array around its buffer."""
        import numpy

        described = msgspec.json.decode(head)
        dtype = _read_dtype(described["dtype"])
        flat = numpy.frombuffer(buffers[0], numpy.uint8).view(dtype)
        return flat.reshape(described["shape"], order=described["order"])


def _name_dtype(dtype: numpy.dtype[Any]) -> Any:
    from numpy.lib import format as numpy_format

    return numpy_format.dtype_to_descr(dtype)


def _read_dtype(name: Any) -> numpy.dtype[Any]:
    from numpy.lib import format as numpy_format

    return numpy_format.descr_to_dtype(_with_tuples(name))


def _with_tuples(name: Any) -> Any:
    """Turn a type's name back into what NumPy wrote: fields and titles are tuples there."""
    if not isinstance(name, list):
        return name
    return [
        (_pair(field[0]), _with_tuples(field[1]), *(tuple(shape) for shape in field[2:]))
        for field in name
    ]


def _pair(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name
