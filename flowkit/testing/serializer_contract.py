"""What every serializer promises: derive a class, give it fixtures, and run pytest."""

# A test needs no docstring: its name is its sentence.

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from flowkit.ports import Buffer, Serializer


def pieces_of(buffer: Buffer | Sequence[Buffer]) -> Sequence[Buffer]:
    """Return the pieces that a buffer comes in: one, if it comes whole."""
    return [buffer] if isinstance(buffer, bytes | bytearray | memoryview) else buffer


def round_trip(serializer: Serializer, value: object) -> object:
    """Dump a value and load it from private, writable memory, as a store would."""
    head, buffers = serializer.dump(value)
    loaded = [memoryview(bytearray(b"".join(map(bytes, pieces_of(one))))) for one in buffers]
    return serializer.load(head, loaded)


class SerializerContract:
    """Derive from it and define the fixtures below.

    `serializer`: the serializer. `values`: a list of values that it accepts. `refused`: a list of
    values that it does not. `same`: a function that raises AssertionError unless its two arguments
    are equal in all that the serializer promises to keep.
    """

    def test_what_is_accepted_comes_back_as_it_was(
        self,
        serializer: Serializer,
        values: Sequence[object],
        same: Callable[[object, object], None],
    ) -> None:
        assert values
        for value in values:
            assert serializer.accepts(value), value
            loaded = round_trip(serializer, value)
            assert type(loaded) is type(value)
            same(loaded, value)

    def test_what_would_not_come_back_is_refused(
        self, serializer: Serializer, refused: Sequence[object]
    ) -> None:
        for value in refused:
            assert not serializer.accepts(value), value

    def test_a_value_is_dumped_to_the_same_bytes_again(
        self, serializer: Serializer, values: Sequence[object]
    ) -> None:
        for value in values:
            first, second = serializer.dump(value), serializer.dump(value)
            assert first[0] == second[0]
            assert [[bytes(one) for one in pieces_of(buffer)] for buffer in first[1]] == [
                [bytes(one) for one in pieces_of(buffer)] for buffer in second[1]
            ]

    def test_the_parts_are_what_the_port_says(
        self, serializer: Serializer, values: Sequence[object]
    ) -> None:
        assert isinstance(serializer.tag, str)
        assert serializer.tag
        for value in values:
            head, buffers = serializer.dump(value)
            assert type(head) is bytes
            for buffer in buffers:
                for piece in pieces_of(buffer):
                    assert isinstance(piece, bytes | bytearray | memoryview)
                    assert memoryview(piece).c_contiguous

    def test_foreign_values_are_refused_quietly(self, serializer: Serializer) -> None:
        class Foreign:
            pass

        if serializer.tag != "pickle":
            for value in (Foreign(), Foreign, object(), {1, 2}, pytest):
                assert not serializer.accepts(value)
