"""What a step prints arrives whole, in order, attributed and timed."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import flowkit
from flowkit.worker import Line, LineReader
from flowkit.worker.output import LARGEST_FRAME, text_output

NOW = 5.0


def reader(longest: int = 65_536) -> LineReader:
    return LineReader(longest=longest, now=lambda: NOW)


def framed(*writes: tuple[str, str]) -> bytes:
    """What Python-level writes put on the pipe."""
    read_end, write_end = os.pipe()
    streams = {
        "stdout": text_output("stdout", write_end, write_end),
        "stderr": text_output("stderr", write_end, write_end),
    }
    for stream, text in writes:
        streams[stream].write(text)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        return pipe.read()


def lines_of(data: bytes, *cuts: int) -> list[tuple[str, bytes]]:
    one = reader()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    found = []
    for start, stop in pairwise(edges):
        found += list(one.feed("stdout", data[start:stop]))
    return [(line.stream, line.text) for line in [*found, *one.finish()]]


def test_python_streams_keep_their_order_on_one_pipe() -> None:
    data = framed(("stdout", "one\n"), ("stderr", "two\n"), ("stdout", "three\n"))
    assert lines_of(data) == [("stdout", b"one"), ("stderr", b"two"), ("stdout", b"three")]


@given(
    writes=st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        ),
        max_size=8,
    ),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_lines_do_not_depend_on_how_the_pipe_cuts_them(
    writes: list[tuple[str, str]], cuts: list[int]
) -> None:
    data = framed(*writes)
    assert lines_of(data, *cuts) == lines_of(data)
    for stream in ("stdout", "stderr"):
        text = "".join(part for name, part in writes if name == stream).encode()
        got = [line for name, line in lines_of(data) if name == stream]
        assert b"\n".join(got) == text.removesuffix(b"\n") or got == text.split(b"\n")[: len(got)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_kept(data: bytes, cuts: list[int]) -> None:
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    if b"\x1e" not in data:
        assert [text for _, text in lines_of(data, *cuts)] == expected
    else:
        assert sum(map(len, expected)) >= sum(len(text) for _, text in lines_of(data, *cuts))


def test_a_header_that_is_none_is_text() -> None:
    assert lines_of(b"\x1ex not a header, only a control character\n") == [
        ("stdout", b"\x1ex not a header, only a control character")
    ]


def test_raw_writes_between_frames_stay_where_they_were() -> None:
    data = framed(("stdout", "python\n")) + b"from C\n" + framed(("stderr", "python again\n"))
    assert lines_of(data) == [
        ("stdout", b"python"),
        ("stdout", b"from C"),
        ("stderr", b"python again"),
    ]


def test_a_long_write_is_framed_in_pieces_and_read_as_one_line() -> None:
    text = "x" * (3 * LARGEST_FRAME + 7)
    assert lines_of(framed(("stdout", text + "\n"))) == [("stdout", text.encode())]


def test_an_endless_line_comes_in_pieces() -> None:
    one = reader(longest=100)
    pieces = list(one.add("stdout", NOW, b"a" * 150))
    assert pieces == [Line("stdout", NOW, b"a" * 150, ended=False)]
    assert list(one.finish()) == []


def test_a_line_has_the_time_of_its_first_byte() -> None:
    one = reader()
    assert list(one.add("stdout", 1.0, b"begun ")) == []
    assert list(one.add("stdout", 2.0, b"ended\n")) == [Line("stdout", 1.0, b"begun ended")]


def test_what_a_process_printed_before_it_was_killed_has_left_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal\n"
        "from flowkit.worker.output import capture\n"
        "capture(1, 2)\n"
        "print('last', end=' ')\n"
        "print('words', end='')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(flowkit.__file__).parent.parent)},
        check=False,
    )
    assert done.returncode == -9
    assert lines_of(done.stdout) == [("stdout", b"last words")]


def secret(text: bytes) -> bytes:
    """What a pipe tells of a secret."""
    return b"\x1es1 %d\n" % len(text) + text


def test_a_secret_that_a_pipe_has_told_of_is_masked_in_whole_lines() -> None:
    one = reader()
    found = list(one.feed("stderr", secret(b"t0ken") + b"raw t0"))
    found += list(one.feed("stdout", b"also t0ken\n"))
    found += list(one.feed("stderr", b"ken\n"))
    assert [(line.stream, line.text) for line in found] == [
        ("stdout", b"also ***"),
        ("stderr", b"raw ***"),
    ]


@given(cut=st.integers(0, 40), longest=st.integers(1, 30))
def test_a_secret_in_pieces_of_a_long_line_is_masked(cut: int, longest: int) -> None:
    one = reader(longest=longest)
    data = b"a" * 17 + b"t0ken-of-many" + b"b" * 9
    found = list(one.feed("stdout", secret(b"t0ken-of-many")))
    found += [*one.feed("stdout", data[:cut]), *one.feed("stdout", data[cut:]), *one.finish()]
    assert b"".join(line.text for line in found) == b"a" * 17 + b"***" + b"b" * 9
