"""Fetching secrets: sources in, names and values out. No error here tells a value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from traceback import extract_tb
from typing import Any

import msgspec

from flowkit.errors import FlowInvalid, FlowkitError, SecretsUnavailable, UsageError
from flowkit.flow import current, read_source
from flowkit.graph import SecretSource
from flowkit.masking import hidden
from flowkit.secrecy.providers import find_provider


class SecretsRejected(UsageError):
    """Secrets were found, and cannot be set as they are asked for."""


def get_secret(source: str | Mapping[str, Any], role: str | None = None) -> dict[str, str]:
    """Fetch a secret and return its names and values; nothing is set.

    `source` is `"provider.id"`, or a dict of `type`, `id`, `options` and `role`. What it returns is
    masked from now on wherever this process prints it.

    Raises:
        SecretsRejected: it is no source.
        SecretsUnavailable: it cannot be fetched.
    """
    try:
        read = read_source(source, role)
    except FlowInvalid as error:
        example = 'write it as in `get_secret("env-file.test.env")`'
        raise SecretsRejected(error.message, hint=error.hint or example) from None
    return _fetched(read)


def fetch_secrets(sources: Iterable[SecretSource]) -> dict[str, str]:
    """Fetch the secrets of all sources.

    Raises:
        SecretsUnavailable: one cannot be fetched.
        SecretsRejected: two sources give the same name.
    """
    found, givers = dict[str, str](), dict[str, str]()
    for source in sources:
        for name, value in _fetched(source).items():
            if name in found:
                raise SecretsRejected(
                    f"two sources of secrets give `{name}`: {givers[name]} and {_label(source)}",
                    hint="leave one of them away, or have it give another name",
                )
            found[name], givers[name] = value, _label(source)
    return found


def _fetched(source: SecretSource) -> dict[str, str]:
    provider = find_provider(source.type or _default_type(source), beside=_flow_folder())
    options = {name: msgspec.json.decode(value) for name, value in source.options}
    try:
        answer: object = provider.fetch(source.id, options=options, role=source.role)
    except FlowkitError:
        raise
    except Exception as error:
        # A provider is foreign code. What it says of its failure may hold what it has fetched.
        last = extract_tb(error.__traceback__)[-1]
        raise SecretsUnavailable(
            f"fetching {_label(source)} raised {type(error).__name__} at "
            f"{last.filename}:{last.lineno}; its text is not shown, as it may be secret",
            hint="see whether the provider can be reached from here, and with which rights",
        ) from None
    return _checked(answer, source)


def _checked(answer: object, source: SecretSource) -> dict[str, str]:
    """Return the answer of a provider if it is names and values, masked from now on."""
    if not isinstance(answer, Mapping):
        raise SecretsUnavailable(
            f"{_label(source)} is no dict of names and values, but a `{type(answer).__name__}`",
            hint="upgrade or mend the package that provides it",
        )
    hidden.hide(value for value in answer.values() if isinstance(value, str))
    for number, (name, value) in enumerate(answer.items(), 1):
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise SecretsUnavailable(
                f"name {number} of {_label(source)} can be no environment variable",
                hint="name the secret otherwise where it is kept",
            )
        if not isinstance(value, str) or "\0" in value:
            raise SecretsUnavailable(
                f"`{name}` of {_label(source)} is not text",
                hint="keep it as text; write bytes in base64",
            )
    return dict(answer)


def _label(source: SecretSource) -> str:
    """Name a source for people."""
    return f"`{'.'.join(filter(None, (source.type, source.id)))}`"


def _default_type(source: SecretSource) -> str:
    # By name: only the client knows the settings of the run that goes on in this process.
    settings = import_module("flowkit.client").current_workspace().settings
    if settings.secrets_provider is None:
        raise SecretsUnavailable(
            f"the source of secrets `{source.id}` names no provider, and no default is set",
            hint=f"write `provider.{source.id}`, or set `FLOWKIT_SECRETS_PROVIDER`",
        )
    return str(settings.secrets_provider)


def _flow_folder() -> str | None:
    """Return the folder of the flow that runs in this process, if one does."""
    file = current.flow_file()
    return os.path.dirname(file) if file is not None else None
