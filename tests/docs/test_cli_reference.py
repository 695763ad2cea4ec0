"""The reference page of the command line says what the commands say."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowkit.cli.commands import COMMANDS, load_command
from flowkit.cli.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_as_the_commands_write_it() -> None:
    assert PAGE.read_text() == page(), (
        "write it anew: `python -m flowkit.cli.reference > docs/reference/cli.md`"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_an_entry(name: str) -> None:
    section = PAGE.read_text().partition(f"\n## flowkit {name}\n")[2].partition("\n## ")[0]
    assert section
    for param in load_command(name).params:
        for option in param.opts if param.param_type_name == "option" else ():
            assert f"`{option}" in section or f", {option}" in section
