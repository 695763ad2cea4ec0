"""Secrets: where they are kept, and fetching them.

`fetching`: sources to names and values; `get_secret`. `providers`: finding what asks a place where
secrets are kept. `inline`, `env_file`, `command`: the providers that flowkit ships. Whatever is
fetched is masked from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.secrecy.fetching import SecretsRejected, fetch_secrets, get_secret
    from flowkit.secrecy.providers import BUILT_IN, PLUGINS, find_provider

__all__ = [
    "BUILT_IN",
    "PLUGINS",
    "SecretsRejected",
    "fetch_secrets",
    "find_provider",
    "get_secret",
]

__getattr__ = loads(
    "flowkit.secrecy",
    {
        "flowkit.secrecy.fetching": "SecretsRejected fetch_secrets get_secret",
        "flowkit.secrecy.providers": "BUILT_IN PLUGINS find_provider",
    },
)
