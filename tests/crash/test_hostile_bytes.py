"""Whatever bytes come from outside: they are taken or refused, soon, and in little memory."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from outside import doors
from rotting import IS_LONG

DOORS = doors()
NUMBERS = [b"-1", b"0", b"1e999", b"9" * 400, b"18446744073709551616", b"NaN", b"null", b'""']
CALM = settings(
    max_examples=2000 if IS_LONG else 40,
    deadline=timedelta(seconds=20),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not IS_LONG,
    database=None,
)


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Draw bytes that some reader takes, and change them in some places."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        stop = min(len(data), at + draw(st.integers(0, 8)))
        match draw(st.sampled_from("bitcrnd")):
            case "b" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "i":
                data[at:at] = draw(st.binary(max_size=8))
            case "t":
                del data[at:]
            case "c":
                data[at:stop] = data[stop : stop + 8]
            case "r":
                data[at:at] = data[at:stop] * draw(st.integers(1, 200))
            case "n":
                data[at:stop] = draw(st.sampled_from(NUMBERS))
            case "d":
                data[at:at] = draw(st.sampled_from([b"[", b"{", b"(", b'{"a":'])) * 5000
    return bytes(data)


@pytest.mark.parametrize("name", DOORS)
def test_bytes_that_are_changed_are_taken_or_refused(name: str) -> None:
    door = DOORS[name]
    for seed in door.seeds:
        door.read(seed)

    @CALM
    @given(changed(door.seeds))
    @example(b"")
    @example(b"\0")
    def knock(data: bytes) -> None:
        door.knock(data)

    knock()


@pytest.mark.parametrize("name", DOORS)
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    @CALM
    @given(st.binary(max_size=400))
    def knock(data: bytes) -> None:
        DOORS[name].knock(data)

    knock()
