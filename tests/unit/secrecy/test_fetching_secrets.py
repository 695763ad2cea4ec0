"""Sources to names and values; none of them in an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowkit import SecretsRejected, SecretsUnavailable, get_secret
from flowkit.errors import PluginBroken
from flowkit.masking import hidden

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Give a function that installs a package whose provider `test` returns some expression."""

    def install(body: str) -> None:
        name = f"keeper_{tmp_path.name}"
        code = f"class Keeper:\n    def fetch(self, id, *, options, role):\n        {body}\n"
        (tmp_path / f"{name}.py").write_text(code)
        metadata = tmp_path / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        points = f"[flowkit.secrets_providers]\ntest = {name}:Keeper\n"
        (metadata / "entry_points.txt").write_text(points)
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    return install


def test_an_installed_provider_is_given_id_options_and_role(install: Install) -> None:
    install("return {'SEEN': f'{id} {options} {role}'}")
    source = {"type": "test", "id": "db", "options": {"n": [1]}}
    assert get_secret(source, role="reader") == {"SEEN": "db {'n': [1]} reader"}
    assert get_secret({**source, "role": "own"}, role="reader")["SEEN"].endswith("own")
    assert get_secret("test.a.b")["SEEN"] == "a.b {} None"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise OSError('h1dden' + '-text')", "raised OSError at"),
        ("return ['h1dden' + '-text']", "but a `list`"),
        ("return {'A=h1dden' + '-text': 'b'}", "name 1 of"),
        ("return {'A': b'h1dden' + b'-text'}", "`A` of"),
        ("return {'A': 'h1dden' + '-text\\0'}", "`A` of"),
    ],
)
def test_an_answer_that_is_none_is_told_without_what_is_in_it(
    install: Install, body: str, told: str
) -> None:
    install(body)
    with pytest.raises(SecretsUnavailable) as raised:
        get_secret("test.db")
    assert told in raised.value.message
    assert "`test.db`" in raised.value.message
    assert raised.value.hint
    assert "h1dden-text" not in f"{raised.value.message} {raised.value.hint}"


def test_a_provider_that_cannot_be_made_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install
) -> None:
    install("return {}")
    name = f"keeper_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text("def Keeper():\n    raise ValueError\n")
    with pytest.raises(PluginBroken, match="ValueError"):
        get_secret("test.db")


@pytest.mark.parametrize("source", [7, {"typ": "inline"}, {"type": "inline"}, "", "env-file."])
def test_what_is_no_source_is_rejected_with_an_example(source: Any) -> None:
    with pytest.raises(SecretsRejected) as raised:
        get_secret(source)
    assert raised.value.hint


def test_what_is_fetched_is_masked_from_then_on() -> None:
    value = "fetched-by-a-test"
    get_secret({"type": "inline", "options": {"env_vars": {"A": value}}})
    assert hidden.text(f"it is {value}!") == "it is ***!"


@pytest.mark.parametrize(
    ("code", "options", "found"),
    [
        ("print('A=1'); print('B=2')", {}, {"A": "1", "B": "2"}),
        ("print('two'); print('lines')", {"env_var_name": "A"}, {"A": "two\nlines"}),
        ("print('{}')", {}, {}),
    ],
)
def test_a_command_prints_an_object_or_variables_or_one_value(
    tmp_path: Path, code: str, options: dict[str, str], found: dict[str, str]
) -> None:
    (tmp_path / "script.py").write_text(code)
    command = f"{sys.executable} {tmp_path / 'script.py'}"
    assert get_secret({"type": "command", "id": command, "options": options}) == found


@pytest.mark.parametrize(
    ("id", "options", "told"),
    [
        ("sleep 60", {"timeout": 0.01}, "did not end within 0.01 seconds"),
        ("sleep 60", {"timeout": "soon"}, "is no number of seconds"),
        ("sh -c 'exit 9'", {}, "ended with exit code 9"),
        ("'", {}, "is no command line"),
        ("printf '\\377'", {}, "no UTF-8 text"),
    ],
)
def test_a_command_that_fails_says_how(id: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(SecretsUnavailable, match=told):
        get_secret({"type": "command", "id": id, "options": options})
