"""What `@secrets` and `get_secret` are given, as sources. No message here tells what they hold."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from flowkit.flow.policies import Options, PolicyRejected, PolicyRule, flag
from flowkit.graph import Secrets, SecretSource

INLINE = "inline"
"""The provider of values that stand in the flow's own code."""
_FIELDS = ("type", "id", "options", "role")
_OPTIONS = ("sources", "role", "allow_override")


def read_source(given: object, role: str | None = None) -> SecretSource:
    """Read one source: `"provider.id"`, `"id"`, or a dict of `type`, `id`, `options` and `role`.

    `role` is for a source that names none. Values of an inline source are in its options.

    Raises:
        PolicyRejected: it is no source.
    """
    if isinstance(given, str):
        if given.startswith(("{", "[")):
            # What follows may be values, and as an id they would be stored.
            raise PolicyRejected("a source of secrets is text that begins like JSON and is none")
        given = _split(given)
    if not isinstance(given, Mapping):
        raise PolicyRejected(f"a source of secrets is text or a dict, not {_kind(given)}")
    for name, value in given.items():
        if name not in _FIELDS:
            raise PolicyRejected(
                f"a source of secrets has no `{name}`",
                hint="a source is a dict of `type`, `id`, `options` and `role`",
            )
        if name != "options" and not isinstance(value, str | None):
            raise PolicyRejected(f"`{name}` of a source of secrets is text, not {_kind(value)}")
    type, id = given.get("type") or "", given.get("id") or ""
    if type == INLINE:
        _check_inline(given.get("options"))
    elif not id:
        raise PolicyRejected("a source of secrets has no `id`")
    return SecretSource(type, id, _encoded(given.get("options")), given.get("role") or role)


def read_secrets(options: Options) -> Secrets:
    """Read the options of `@secrets`, with the values of inline sources. Raises PolicyRejected."""
    given = options.get("sources")
    if isinstance(given, str | Mapping):
        given = [given]
    if not isinstance(given, list | tuple):
        raise PolicyRejected(f"`sources` of `@secrets` is a list of sources, not {_kind(given)}")
    role = options.get("role")
    if not isinstance(role, str | None):
        raise PolicyRejected(f"`role` of `@secrets` is text, not {_kind(role)}")
    return Secrets(
        tuple(read_source(one, role) for one in given),
        flag("secrets", "allow_override", options.get("allow_override", False)),
    )


def asked_secrets(args: tuple[object, ...], options: Options) -> Secrets:
    """Return what a decorator as it was applied asks for, with values. Raises PolicyRejected."""
    return read_secrets({**dict(zip(_OPTIONS, args, strict=False)), **options})


def _policy(options: Options) -> Secrets:
    """Return what may be kept of `@secrets`: the values of inline sources are not."""
    asked = read_secrets(options)
    return replace(asked, sources=tuple(map(_without_values, asked.sources)))


def _without_values(source: SecretSource) -> SecretSource:
    if source.type != INLINE:
        return source
    names = sorted(msgspec.json.decode(dict(source.options)["env_vars"]))
    return replace(source, options=(("env_vars", msgspec.json.encode(names).decode()),))


def _split(text: str) -> Mapping[str, str]:
    """Split at the first dot; an id may begin with one, as `.env` does."""
    type, dot, id = text.partition(".")
    return {"type": type, "id": id} if type and dot else {"id": text}


def _check_inline(options: object) -> None:
    pairs = options.get("env_vars") if isinstance(options, Mapping) else None
    if not isinstance(pairs, Mapping):
        raise PolicyRejected("an inline source has no `env_vars`", hint=_INLINE_EXAMPLE)
    for name, value in pairs.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise PolicyRejected(
                "`env_vars` of an inline source is a dict of text, by name", hint=_INLINE_EXAMPLE
            )


def _encoded(options: object) -> tuple[tuple[str, str], ...]:
    if options is None:
        return ()
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise PolicyRejected(f"`options` of a source of secrets is a dict, not {_kind(options)}")
    try:
        return tuple((name, msgspec.json.encode(one).decode()) for name, one in options.items())
    except (TypeError, ValueError):
        raise PolicyRejected(
            "`options` of a source of secrets hold what is no plain data",
            hint="use text, numbers, lists and dicts",
        ) from None


def _kind(value: object) -> str:
    """Say of which type a value is, and nothing of what is in it."""
    return "None" if value is None else f"a `{value.__class__.__name__}`"


_INLINE_EXAMPLE = 'write `{"type": "inline", "options": {"env_vars": {"TOKEN": "..."}}}`'

SECRETS_RULE = PolicyRule("secrets", _OPTIONS, '@secrets(sources=["env-file.test.env"])', _policy)
