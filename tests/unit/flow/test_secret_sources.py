"""What `@secrets` is given, and what may be kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from flowkit.errors import FlowInvalid
from flowkit.flow import draft_flow, read_source, secrets, step
from flowkit.flow.policies import PolicyRejected
from flowkit.graph import Secrets, SecretSource

VALUE = "h1dden-value"
INLINE = {"type": "inline", "id": "x", "options": {"env_vars": {"B": VALUE, "A": VALUE}}}


def policy_of(*args: Any, **options: Any) -> Secrets | None:
    """Return the policy of a step with this decorator."""

    @secrets(*args, **options)
    @step
    def start(self: object) -> None:
        pass

    policies, faults = start.__flowkit_step__.settled()  # type: ignore[attr-defined]
    if faults:
        raise PolicyRejected(faults[0].message, hint=faults[0].hint)
    found: Secrets | None = policies.secrets
    return found


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("env-file.test.env", SecretSource("env-file", "test.env")),
        ("password", SecretSource("", "password")),
        (".env", SecretSource("", ".env")),
        ("command.pass show a.b", SecretSource("command", "pass show a.b")),
        ({"id": "a.b"}, SecretSource("", "a.b")),
        (
            {"type": "t", "id": "a", "options": {"n": [1]}, "role": "r"},
            SecretSource("t", "a", (("n", "[1]"),), "r"),
        ),
    ],
)
def test_a_source_is_text_or_a_dict(given: Any, source: SecretSource) -> None:
    assert read_source(given) == source


def test_the_role_of_the_decorator_is_for_sources_without_one() -> None:
    found = policy_of([{"id": "a"}, {"id": "b", "role": "own"}], role="shared")
    assert found is not None
    assert [one.role for one in found.sources] == ["shared", "own"]


def test_a_policy_keeps_the_names_of_inline_values_only() -> None:
    found = policy_of(sources=[INLINE], allow_override="true")
    assert found == Secrets(
        (SecretSource("inline", "x", (("env_vars", '["A","B"]'),)),), allow_override=True
    )


def test_a_draft_has_the_values_for_the_worker() -> None:
    class Flow:
        @secrets([INLINE])
        @step
        def start(self) -> None:
            pass

        @step
        def end(self) -> None:
            pass

    found = draft_flow(Flow).secrets()
    assert list(found) == ["start"]
    assert VALUE in dict(found["start"].sources[0].options)["env_vars"]


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"token": VALUE},
        [{"token": VALUE}],
        [[VALUE]],
        [{"type": "inline", "options": {"env_vars": VALUE}}],
        [{"type": "inline", "options": VALUE}],
        [{"type": "inline", "options": {"env_vars": {"A": [VALUE]}}}],
        [{"type": "t", "id": "a", "options": {"it": {VALUE, VALUE}, "o": object()}}],
        [{"type": "t", "id": [VALUE]}],
        [{"type": "t"}],
        ['{"type": "inline", "options": {"env_vars": "' + VALUE],
    ],
)
def test_what_is_no_source_is_a_fault_that_tells_no_value(given: Any) -> None:
    with pytest.raises(FlowInvalid) as raised:
        policy_of(sources=given)
    assert raised.value.hint
    assert VALUE not in f"{raised.value.message} {raised.value.hint}"


def test_secrets_without_sources_are_a_fault() -> None:
    with pytest.raises(FlowInvalid, match="list of sources, not None"):
        policy_of()
    with pytest.raises(FlowInvalid, match="`role` of `@secrets`"):
        policy_of(["a"], role=7)
