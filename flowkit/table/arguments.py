"""Arguments of the wrong kind, told where they are given: what Python raises comes too late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flowkit.errors import UsageError


def check_kind(what: str, given: object, *kinds: type, hint: str) -> None:
    """Check that an argument is of one of these kinds. Raises UsageError."""
    is_kind = isinstance(given, kinds)
    if not is_kind or (isinstance(given, bool) and bool not in kinds):
        raise UsageError(f"`{what}` cannot be {_shown(given)}", hint=hint)


def check_name(what: str, given: object) -> None:
    """Check that an argument is a name: text that is not blank. Raises UsageError."""
    check_kind(what, given, str, hint="give a name")
    if not str(given).strip():
        raise UsageError(f"{what} needs a name, and `{given}` is none", hint="give it one")


def check_names(what: str, given: Any) -> None:
    """Check that an argument is a list of names: the letters of one would be taken for names.

    Raises:
        UsageError: it is not.
    """
    if isinstance(given, str):
        raise UsageError(f"`{what}` is one name, not a list", hint=f"give `[{given!r}]`")
    hint = f"give a list of names, such as `{what}=['id']`"
    check_kind(what, given, Iterable, hint=hint)
    for one in given:
        check_kind(what, one, str, hint=hint)


def check_texts(what: str, given: object) -> None:
    """Check that an argument maps text to text. Raises UsageError."""
    hint = f"give a dict of texts, such as `{what}={{'name': 'text'}}`"
    check_kind(what, given, Mapping, hint=hint)
    assert isinstance(given, Mapping)
    for name, value in given.items():
        check_kind(what, name, str, hint=hint)
        check_kind(f"{what}[{name!r}]", value, str, hint=hint)


def _shown(given: object) -> str:
    shown = repr(given)
    return f"`{shown}`" if len(shown) < 80 else f"a `{type(given).__name__}`"
