"""AWS's own variables and files: what the client does not read for itself.

It reads AWS_ACCESS_KEY_ID and the like, web identities, and asks the metadata services of
machines and containers. Profiles are read here. None of this is a setting of flowkit: settings
hold no secrets.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from flowkit.s3.errors import S3AccessDenied

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_ELSEWHERE = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")
"""With one of these, no profile is needed."""


def aws_variables() -> tuple[tuple[str, str], ...]:
    """Return all that AWS's clients read in the environment, by which clients differ."""
    return tuple(sorted(one for one in os.environ.items() if one[0].startswith("AWS_")))


def find_options(endpoint: str | None) -> Mapping[str, str]:
    """Return options for the client, beside what it finds in the environment itself.

    Args:
        endpoint: the one that the settings name, before which AWS's variables and files yield.

    Raises:
        S3AccessDenied: a profile is named that is not there, or that has no keys of its own.
    """
    profile = _read_profile()
    found: dict[str, str] = {}
    if not any(os.environ.get(name) for name in _ELSEWHERE):
        _check_keys(profile)
        found |= {name.removeprefix("aws_"): profile[name] for name in _KEYS if name in profile}
    return found | _server(endpoint, profile)


def find_server(endpoint: str | None) -> Mapping[str, str]:
    """Return endpoint and region alone, as `find_options` finds them.

    Raises:
        S3AccessDenied: AWS's files cannot be read.
    """
    return _server(endpoint, _read_profile())


def _server(endpoint: str | None, profile: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region or "region" in profile:
        found["region"] = region or profile["region"]
    variables = (os.environ.get(f"AWS_ENDPOINT_URL{suffix}") for suffix in ("_S3", ""))
    named = (endpoint, *variables, profile.get("endpoint_url"))
    chosen = next((one for one in named if one), None)
    if chosen:
        found["endpoint"] = chosen.rstrip("/")
    return found


def _read_profile() -> Mapping[str, str]:
    section = os.environ.get("AWS_PROFILE") or "default"
    values: dict[str, str] = {}
    home = Path(os.path.expanduser("~/.aws"))
    for variable, file, title in (
        ("AWS_CONFIG_FILE", "config", section if section == "default" else f"profile {section}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", section),
    ):
        path = Path(os.path.expanduser(os.environ.get(variable) or home / file))
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, UnicodeError, configparser.Error) as error:
            raise S3AccessDenied(
                f"`{path}` cannot be read: {error}", hint="mend the file or move it away"
            ) from error
        if parser.has_section(title):
            values.update(parser.items(title))
    return values


def _check_keys(profile: Mapping[str, str]) -> None:
    name = os.environ.get("AWS_PROFILE")
    if name and not {"aws_access_key_id", "aws_secret_access_key"} <= profile.keys():
        what = "has no keys of its own" if profile else "is in no file of AWS's"
        raise S3AccessDenied(
            f"AWS_PROFILE is `{name}`, and that profile {what}",
            hint=f'take keys from it: `eval "$(aws configure export-credentials --profile {name} '
            '--format env)"`',
        )
