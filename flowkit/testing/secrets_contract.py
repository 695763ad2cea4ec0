"""What every provider of secrets promises: derive a class, give it fixtures, and run pytest."""

# A test needs no docstring: its name is its sentence.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowkit.errors import SecretsUnavailable
from flowkit.ports import SecretsProvider


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider is asked for."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    role: str | None = None

    def of(self, provider: SecretsProvider) -> Mapping[str, str]:
        """Ask a provider."""
        return provider.fetch(self.id, options=self.options, role=self.role)


class SecretsContract:
    """Derive from it and define the fixtures below.

    `provider`: the provider. `asked`: what it is asked for, and `kept`: what it then returns.
    `missing`: what it has nothing for. `broken`: what it cannot read, where `kept_broken` is a
    value in it.
    """

    def test_what_is_kept_comes_as_names_and_values(
        self, provider: SecretsProvider, asked: Asked, kept: Mapping[str, str]
    ) -> None:
        assert dict(asked.of(provider)) == kept
        assert all(type(one) is str for pair in kept.items() for one in pair)

    def test_it_may_be_asked_again(
        self, provider: SecretsProvider, asked: Asked, kept: Mapping[str, str]
    ) -> None:
        asked.of(provider)
        assert dict(asked.of(provider)) == kept

    def test_nothing_is_printed(
        self, provider: SecretsProvider, asked: Asked, capfd: pytest.CaptureFixture[str]
    ) -> None:
        asked.of(provider)
        shown = capfd.readouterr()
        assert shown.out + shown.err == ""

    def test_what_is_not_there_is_said_to_be_unavailable_with_what_to_do(
        self, provider: SecretsProvider, missing: Asked
    ) -> None:
        with pytest.raises(SecretsUnavailable) as raised:
            missing.of(provider)
        assert raised.value.hint

    def test_an_error_tells_no_value(
        self,
        provider: SecretsProvider,
        broken: Asked,
        kept_broken: str,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(SecretsUnavailable) as raised:
            broken.of(provider)
        error, shown = raised.value, capfd.readouterr()
        told = f"{error.message} {error.hint} {error!r} {shown.out} {shown.err}"
        assert kept_broken not in told
        assert error.__cause__ is None or kept_broken not in str(error.__cause__)
