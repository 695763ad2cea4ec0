"""Files of `NAME=value` lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowkit.errors import SecretsUnavailable
from flowkit.secrecy import find_provider


def read(folder: Path, text: str) -> dict[str, str]:
    (folder / "it.env").write_bytes(text.encode())
    provider = find_provider("env-file", beside=str(folder))
    return dict(provider.fetch("it.env", options={}, role=None))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("\n# a comment\n   # another\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("export A = 1 ", {"A": "1"}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("A= # nothing", {"A": ""}),
        ("A=a#b # a comment", {"A": "a#b"}),
        ("A=a b=c", {"A": "a b=c"}),
        ("A=it's", {"A": "it's"}),
        ("A='it # is \\n' # a comment", {"A": "it # is \\n"}),
        ("A='one\ntwo'\nB=3", {"A": "one\ntwo", "B": "3"}),
        (r'A="one\ntwo \"three\" \\ \$ \d"', {"A": 'one\ntwo "three" \\ $ \\d'}),
        ("A=$HOME", {"A": "$HOME"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)
def test_variables_are_read_as_shells_and_dotenv_write_them(
    tmp_path: Path, text: str, found: dict[str, str]
) -> None:
    assert read(tmp_path, text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\nhidden", 2), ("A='hidden", 1), ("\n\nA='hidden' b", 3), ('A="hidden\n', 1), ("1=2", 1)],
)
def test_a_line_that_is_no_variable_is_told_by_its_number(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(SecretsUnavailable, match=f"line {line} of") as raised:
        read(tmp_path, text)
    assert "hidden" not in f"{raised.value.message} {raised.value.hint}"


def test_a_file_that_is_no_text_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "it.env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(SecretsUnavailable, match="no UTF-8 text"):
        find_provider("env-file").fetch(str(tmp_path / "it.env"), options={}, role=None)


def test_the_current_folder_is_looked_in_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "it.env").write_text("A=here")
    monkeypatch.chdir(here)
    assert read(tmp_path, "A=beside") == {"A": "here"}
