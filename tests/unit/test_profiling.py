"""Measuring a block."""

from __future__ import annotations

import re

import pytest

from flowkit import profile


def test_a_block_is_told_to_have_started_and_how_long_it_took(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with profile("load"):
        pass
    assert re.fullmatch(r"load: started\nload: took \d+ ms\n", capsys.readouterr().out)


def test_milliseconds_add_up_where_they_are_collected(capsys: pytest.CaptureFixture[str]) -> None:
    stats = {"load": 1000.0}
    with pytest.raises(KeyError), profile("load", stats):
        raise KeyError
    assert stats["load"] > 1000
    assert capsys.readouterr().out == ""


def test_a_function_can_be_measured_whenever_it_is_called() -> None:
    stats: dict[str, float] = {}

    @profile("call", stats)
    def call() -> int:
        return 3

    assert call() == 3
    assert "call" in stats
