"""`inline`: values that stand in the flow's code, for tests and for what is no secret yet."""

from __future__ import annotations

from collections.abc import Mapping

from flowkit.errors import SecretsUnavailable


class InlineProvider:
    """Gives what the option `env_vars` holds, a dict of names and values; any id will do."""

    def fetch(self, id: str, *, options: Mapping[str, object], role: str | None) -> dict[str, str]:
        """Return the variables. Raises SecretsUnavailable."""
        given = options.get("env_vars")
        if not isinstance(given, Mapping):
            raise SecretsUnavailable(
                "an inline source has no `env_vars`",
                hint='write `{"type": "inline", "options": {"env_vars": {"TOKEN": "..."}}}`',
            )
        return dict(given)
