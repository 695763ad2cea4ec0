"""Text without the secrets in it."""

from __future__ import annotations

import html
import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.masking import LONGEST, Mask
from flowkit.worker.output import LARGEST_FRAME

ODD = 'it\'s "é" & <b>\\n'


def mask_of(*values: str) -> Mask:
    mask = Mask()
    mask.hide(values)
    return mask


@pytest.mark.parametrize(
    "written", [ODD, repr(ODD), json.dumps(ODD), html.escape(ODD), quote(ODD), quote(ODD, safe="")]
)
def test_a_value_is_masked_however_it_is_written(written: str) -> None:
    assert mask_of(ODD).text(f"-{written}-").replace('"', "").replace("'", "") == "-***-"


@pytest.mark.parametrize("value", [ODD, "hünter2-hunter2", "пароль", "\U0001f511-key-\U0001f511"])
def test_what_is_not_ascii_is_masked_in_all_of_pythons_spellings(value: str) -> None:
    mask, escaped = mask_of(value), value.encode("unicode_escape")
    assert mask.data(escaped) == b"***"
    for written in (ascii(value), json.dumps(value)):
        assert mask.text(written)[1:-1] == "***"
    for data in (value.encode(), escaped):
        assert mask.text(repr(data))[2:-1] == "***"
    assert mask.text(f"{[value]!a} {[value.encode()]}") in ("['***'] [b'***']", '["***"] [b"***"]')


def test_each_line_of_a_value_is_masked() -> None:
    assert mask_of("first line\n  second\n}").text("second, first line, }") == "***, ***, }"


def test_values_of_fewer_than_four_characters_stand() -> None:
    mask = mask_of("abc", "", "\n")
    assert not mask
    assert mask.text("abc") == "abc"


def test_of_two_values_the_longer_one_is_masked_whole() -> None:
    assert mask_of("token", "token-2").text("token-2 token-3") == "*** ***-3"


@pytest.mark.parametrize("size", [LONGEST, LONGEST + 1, 5 * LONGEST + 3])
def test_a_long_value_leaves_nothing(size: int) -> None:
    value = "".join(chr(33 + at % 89) for at in range(size))
    assert set(mask_of(value).text(value)) == {"*"}


def test_whoever_listens_hears_every_spelling_once() -> None:
    heard: list[bytes] = []
    mask = Mask()
    mask.tell(heard.append)
    mask.hide(["a&bcd", "a&bcd"])
    assert sorted(heard) == sorted({b"a&bcd", b"a&amp;bcd", b"a%26bcd"})


@given(
    text=st.text(st.sampled_from("abc\n"), max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=6),
)
def test_how_text_is_cut_shows_no_more_of_a_secret(text: str, cuts: list[int]) -> None:
    mask = mask_of("abcab", "bbbb", "abcabcc")
    held, shown = b"", b""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, stop in pairwise(edges):
        told, held = mask.split(held + text[start:stop].encode())
        shown += told
    assert shown + mask.data(held) == mask.data(text.encode())


def test_nothing_is_held_back_that_begins_no_secret() -> None:
    mask = mask_of("token")
    assert mask.split(b"password: ") == (b"password: ", b"")
    assert mask.split(b"a line\n") == (b"a line\n", b"")
    assert mask.split(b"about to") == (b"about ", b"to")


def test_data_is_searched_for_values_that_are_not_there_by_chance() -> None:
    mask = mask_of("short", "long-enough")
    assert mask.is_in(b"\0long-enough\0")
    assert mask.is_in(memoryview(b"\0long-enough\0"))
    assert not mask.is_in(b"\0short\0")
    assert mask.is_all_of(b'"short"')
    assert not mask.is_all_of(b"short")


def test_no_spelling_is_longer_than_a_pipe_writes_at_once() -> None:
    heard: list[bytes] = []
    mask = Mask()
    mask.tell(heard.append)
    mask.hide(["\U0001f511" * LONGEST, "\x7f" * 5 * LONGEST, "é" * (LONGEST + 1)])
    assert max(map(len, heard)) <= LARGEST_FRAME
