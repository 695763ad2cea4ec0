"""Providers of secrets by name: built in, or from an entry point."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from flowkit.errors import PluginBroken, SecretsUnavailable
from flowkit.ports import SecretsProvider
from flowkit.store import load_plugin

PLUGINS: Final = "flowkit.secrets_providers"
"""The group of entry points; each names what is called, without arguments, for a provider."""

BUILT_IN: Final = {
    "inline": "flowkit.secrecy.inline:InlineProvider",
    "env-file": "flowkit.secrecy.env_file:EnvFileProvider",
    "command": "flowkit.secrecy.command:CommandProvider",
}


def find_provider(type: str, *, beside: str | None = None) -> SecretsProvider:
    """Return the provider of that name; `beside` is the flow's folder, where it has files.

    Raises:
        SecretsUnavailable: there is none.
        PluginBroken: a package provides it, and it cannot be loaded.
    """
    if type in BUILT_IN:
        module, _, name = BUILT_IN[type].partition(":")
        made: Any = getattr(import_module(module), name)
        provider: SecretsProvider = made(beside) if type == "env-file" else made()
        return provider
    found: Any = load_plugin(PLUGINS, type, known=tuple(BUILT_IN))
    if found is None:
        near = get_close_matches(type, BUILT_IN, n=1)
        known = ", ".join(f"`{one}`" for one in BUILT_IN)
        raise SecretsUnavailable(
            f"there is no provider of secrets `{type}`",
            hint=f"did you mean `{near[0]}`?"
            if near
            else f"built in are {known}; install the package that provides `{type}`",
        )
    try:
        plugin: SecretsProvider = found()
    except Exception as error:
        # Making it runs foreign code, which may raise anything: the plugin is broken.
        name = error.__class__.__name__
        raise PluginBroken(name=type, cause=f"making it raised {name}", known=()) from error
    return plugin
