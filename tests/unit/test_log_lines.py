"""The log format, written and read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import Corrupt
from flowkit.logs import LogLine, encode_line, parse_log, whole_lines

texts = st.tuples(
    st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"\\n")),
    st.sampled_from([b"", b"\n"]),
).map(b"".join)
lines = st.builds(
    LogLine,
    st.integers(min_value=0, max_value=2**62),
    st.sampled_from(["stdout", "stderr"]),
    texts,
)


def encoded_line(line: LogLine) -> bytes:
    ended = line.text.endswith(b"\n")
    return encode_line(line.time_us, line.stream, line.text.removesuffix(b"\n"), ended=ended)


@given(st.lists(lines, max_size=8))
def test_what_is_written_is_read(written: list[LogLine]) -> None:
    data = b"".join(encoded_line(line) for line in written)
    assert list(parse_log(data)) == written


@given(st.lists(lines, min_size=1, max_size=5), st.data())
def test_a_torn_log_is_read_up_to_the_tear(written: list[LogLine], data: st.DataObject) -> None:
    encoded = [encoded_line(line) for line in written]
    whole = b"".join(encoded)
    at = data.draw(st.integers(0, len(whole)))

    read = list(parse_log(whole[:at]))

    assert read == written[: len(read)]
    assert len(read) == sum(len(b"".join(encoded[: n + 1])) <= at for n in range(len(encoded)))


def test_a_backslash_and_a_carriage_return_are_text() -> None:
    (line,) = parse_log(encode_line(1, "stdout", b"50%\r100%\\"))
    assert line.text == b"50%\r100%\\\n"


def test_a_line_has_a_time_in_utc() -> None:
    (line,) = parse_log(b"1700000000250017 e x\n")
    assert line.time == datetime(2023, 11, 14, 22, 13, 20, 250017, tzinfo=UTC)


def test_a_newline_within_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="one line"):
        encode_line(1, "stdout", b"two\nlines")


@pytest.mark.parametrize(
    "damaged", [b"x o text\n", b"12 q text\n", b"12 otext\n", b"12\n", b"\n", b"-1 o text\n"]
)
def test_a_line_that_is_none_is_damage(damaged: bytes) -> None:
    with pytest.raises(Corrupt) as caught:
        list(parse_log(b"1 o fine\n" + damaged, name="fit/0-0.log"))
    assert caught.value.key == "fit/0-0.log"
    assert "line 2" in caught.value.reason


def test_pieces_of_a_line_are_put_together_stream_by_stream() -> None:
    pieces = [
        LogLine(1, "stdout", b"Name"),
        LogLine(2, "stderr", b"warning\n"),
        LogLine(3, "stdout", b"? "),
        LogLine(4, "stdout", b"ann\n"),
        LogLine(5, "stderr", b"end"),
    ]
    assert list(whole_lines(iter(pieces))) == [
        LogLine(2, "stderr", b"warning\n"),
        LogLine(1, "stdout", b"Name? ann\n"),
        LogLine(5, "stderr", b"end"),
    ]
