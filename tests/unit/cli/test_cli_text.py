"""How values look to people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.cli.text import (
    cell_width,
    columns,
    human_duration,
    human_size,
    one_line,
    task_label,
    utc_time,
    visible,
)
from flowkit.values import TaskKey


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_340_000_000, "2.3 GB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_sizes_have_decimal_units(size: int, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1.0, "0.00s"),
        (0.004, "0.00s"),
        (0.994, "0.99s"),
        (0.996, "1.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (185, "3m 05s"),
        (7_440, "2h 04m"),
        (90_000, "1d 01h"),
    ],
)
def test_durations_show_two_units_at_most(seconds: float | None, text: str) -> None:
    assert human_duration(seconds) == text


def test_machine_times_are_utc_whatever_the_zone() -> None:
    zone = timezone(timedelta(hours=2))
    moment = datetime(2024, 5, 17, 14, 30, 0, 5, tzinfo=zone)
    assert utc_time(moment) == "2024-05-17T12:30:00.000005Z"
    assert utc_time(moment.astimezone(UTC)) == utc_time(moment)
    assert utc_time(None) is None


def test_a_task_is_named_by_its_step_alone_where_there_is_only_one() -> None:
    assert task_label(TaskKey("start")) == "start"
    assert task_label(TaskKey("fit", (3, 1))) == "fit[3.1]"
    assert task_label(TaskKey("loop", (), 2)) == "loop[0@2]"


@given(st.text())
def test_one_line_has_no_control_character_and_keeps_its_limit(text: str) -> None:
    line = one_line(text, 20)
    assert len(line) <= 20
    assert not any(ord(one) < 32 or ord(one) == 127 for one in line)


@given(st.text())
def test_visible_text_has_no_control_character_but_line_breaks_and_tabs(text: str) -> None:
    shown = visible(text)
    assert not any(category(one) == "Cc" for one in shown if one not in "\n\t")
    assert shown == text or len(shown) > len(text)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_all_rows_of_a_table_start_their_last_column_at_the_same_place(
    rows: list[tuple[str, str]],
) -> None:
    marked = [(left, "|" + right) for left, right in rows]
    lines = columns(("left", "|right"), marked)
    assert len(lines) == len(rows) + 1
    starts = set()
    for line, (left, _) in zip(lines, [("left", ""), *marked], strict=True):
        shown = one_line(left)
        assert line.startswith(shown)
        rest = line[len(shown) :]
        starts.add(cell_width(shown) + rest.index("|"))
    assert len(starts) == 1


def test_numbers_end_at_the_same_place() -> None:
    assert columns(("n",), [("5",), ("1,000",)], right=["n"]) == ["    n", "    5", "1,000"]


def test_wide_letters_take_two_columns() -> None:
    assert cell_width("abc") == 3
    assert cell_width("日本") == 4
