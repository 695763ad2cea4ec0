"""Where endpoint, region and keys come from, and what is said where they are missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowkit import S3, S3AccessDenied, S3InvalidUrl
from flowkit.s3.credentials import find_options
from flowkit.testing import S3Server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without AWS's files, in an environment without its variables."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    return tmp_path


def test_nothing_is_found_where_nothing_is(home: Path) -> None:
    assert find_options(None) == {}


def test_keys_region_and_endpoint_come_from_a_profile(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = one\naws_secret_access_key = secret%\n"
        "[work]\naws_access_key_id = two\naws_secret_access_key = s\naws_session_token = t\n"
    )
    (home / ".aws" / "config").write_text(
        "[default]\nregion = eu-west-1\n[profile work]\nendpoint_url = http://work:9000/\n"
    )
    assert find_options(None) == {
        "access_key_id": "one",
        "secret_access_key": "secret%",
        "region": "eu-west-1",
    }
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert find_options(None) == {
        "access_key_id": "two",
        "secret_access_key": "s",
        "session_token": "t",
        "endpoint": "http://work:9000",
    }
    # The client reads keys in the environment itself, and they win.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "three")
    assert "access_key_id" not in find_options(None)


def test_the_endpoint_of_the_settings_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general")
    assert find_options(None)["endpoint"] == "http://general"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3")
    assert find_options(None)["endpoint"] == "http://s3"
    assert find_options("http://settings")["endpoint"] == "http://settings"


@pytest.mark.parametrize("config", ["", "[profile work]\nsso_session = x\nregion = eu-west-1\n"])
def test_a_profile_without_keys_of_its_own_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    (home / ".aws" / "config").write_text(config)
    monkeypatch.setenv("AWS_PROFILE", "work")
    with pytest.raises(S3AccessDenied, match="work") as caught:
        find_options(None)
    assert "export-credentials" in (caught.value.hint or "")


def test_a_file_that_cannot_be_read_is_told(home: Path) -> None:
    (home / ".aws" / "credentials").write_text("aws_access_key_id = one\n")
    with pytest.raises(S3AccessDenied, match="credentials"):
        find_options(None)


def test_a_profile_opens_a_bucket(
    server: S3Server, bucket: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = server.environment
    (home / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
    )
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT", server.endpoint)
    with S3(s3root=f"s3://{bucket}") as s3:
        s3.put("key", "x")
        assert s3.get("key").text == "x"


def test_keys_that_changed_in_the_environment_are_taken(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3(s3root=f"s3://{bucket}") as s3:
        s3.put("key", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with S3(s3root=f"s3://{bucket}") as s3, pytest.raises(S3AccessDenied):
        s3.get("key")


def test_missing_credentials_are_told(
    server: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT", server.endpoint)
    # Where the machine's own service would answer, nothing does.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("FLOWKIT_S3_RETRIES", "0")
    with S3(s3root="s3://bucket") as s3, pytest.raises(S3AccessDenied) as caught:
        s3.get("key")
    assert "AWS_ACCESS_KEY_ID" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "endpoint", ["localhost:9000", "ftp://host", "http://", "http://[bad", "http://a b", "9000"]
)
def test_an_endpoint_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("FLOWKIT_S3_ENDPOINT", endpoint)
    with S3(s3root="s3://bucket") as s3, pytest.raises(S3InvalidUrl, match="endpoint"):
        s3.get("key")
