"""The providers of secrets that flowkit ships, held to their contract."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from flowkit.ports import SecretsProvider
from flowkit.secrecy import BUILT_IN, find_provider
from flowkit.testing.secrets_contract import Asked, SecretsContract


class TestInlineProvider(SecretsContract):
    @pytest.fixture
    def provider(self) -> SecretsProvider:
        return find_provider("inline")

    @pytest.fixture
    def asked(self) -> Asked:
        return Asked("", {"env_vars": {"TOKEN": "abc"}})

    @pytest.fixture
    def kept(self) -> Mapping[str, str]:
        return {"TOKEN": "abc"}

    @pytest.fixture
    def missing(self) -> Asked:
        return Asked("")

    @pytest.fixture
    def broken(self) -> Asked:
        return Asked("", {"env_vars": ["t0ken"]})

    @pytest.fixture
    def kept_broken(self) -> str:
        return "t0ken"


class TestEnvFileProvider(SecretsContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> SecretsProvider:
        return find_provider("env-file", beside=str(tmp_path))

    @pytest.fixture
    def asked(self, tmp_path: Path) -> Asked:
        (tmp_path / "test.env").write_text("TOKEN=abc\nNAME='a b'\n")
        return Asked("test.env")

    @pytest.fixture
    def kept(self) -> Mapping[str, str]:
        return {"TOKEN": "abc", "NAME": "a b"}

    @pytest.fixture
    def missing(self) -> Asked:
        return Asked("absent.env")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Asked:
        (tmp_path / "broken.env").write_text("TOKEN='t0ken")
        return Asked("broken.env")

    @pytest.fixture
    def kept_broken(self) -> str:
        return "t0ken"


class TestCommandProvider(SecretsContract):
    @pytest.fixture
    def provider(self) -> SecretsProvider:
        return find_provider("command")

    @pytest.fixture
    def asked(self, tmp_path: Path) -> Asked:
        return script(tmp_path, """print('{"TOKEN": "abc", "PORT": 5432}')""")

    @pytest.fixture
    def kept(self) -> Mapping[str, str]:
        return {"TOKEN": "abc", "PORT": "5432"}

    @pytest.fixture
    def missing(self) -> Asked:
        return Asked("no-such-program")

    @pytest.fixture(params=["print('t0' + 'ken'); raise SystemExit(3)", "print('{t0' + 'ken')"])
    def broken(self, tmp_path: Path, request: pytest.FixtureRequest) -> Asked:
        return script(tmp_path, request.param)

    @pytest.fixture
    def kept_broken(self) -> str:
        return "t0ken"


def script(folder: Path, text: str) -> Asked:
    file = folder / "script.py"
    file.write_text(text)
    return Asked(f"{sys.executable} {file}")


def test_every_provider_that_is_built_in_has_its_suite_here() -> None:
    assert set(BUILT_IN) == {"inline", "env-file", "command"}
