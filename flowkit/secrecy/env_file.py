"""`env-file`: variables in a file, as `.env` files hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from flowkit.errors import SecretsUnavailable

_BLANK: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ASSIGNMENT: Final = re.compile(
    r"""
    [ \t]* (?:export[ \t]+)? (?P<name>[A-Za-z_][A-Za-z0-9_]*) [ \t]* = [ \t]*
    (?: '(?P<literal>[^']*)' [ \t]* (?:\#[^\n]*)?
      | "(?P<escaped>(?:[^"\\]|\\.)*)" [ \t]* (?:\#[^\n]*)?
      | (?P<plain>(?:[^\s'"\#][^\n]*?)?) [ \t]* (?:(?<![^ \t=])\#[^\n]*)?
    ) (?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "'": "'"}


class EnvFileProvider:
    """Reads a file of `NAME=value` lines; the id is its path.

    A relative path is one from the current folder, or else from the folder `beside`.
    """

    def __init__(self, beside: str | None = None) -> None:
        self._beside = beside

    def fetch(self, id: str, *, options: Mapping[str, object], role: str | None) -> dict[str, str]:
        """Return the file's variables. Raises SecretsUnavailable."""
        path = os.path.expanduser(id)
        if not os.path.exists(path) and self._beside is not None:
            path = os.path.join(self._beside, path)
        try:
            with open(path, encoding="utf-8-sig") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SecretsUnavailable(
                f"the file of secrets `{path}` cannot be read: {reason}",
                hint="name a file of `NAME=value` lines, from the folder that you are in or from "
                "the flow's",
            ) from None
        return parse_variables(text, name=f"`{path}`")


def parse_variables(text: str, *, name: str) -> dict[str, str]:
    r"""Read `NAME=value` lines; of two for one name the last one counts.

    Values may be quoted, and then go over several lines: as they stand between single quotes, with
    `\n` and the like between double ones. Nothing is put in for `$NAME`. `name` is for errors.

    Raises:
        SecretsUnavailable: a line is something else; its number is told, and not what it holds.

    >>> parse_variables("export A=1  # one\nB='two # words'", name="it")
    {'A': '1', 'B': 'two # words'}
    """
    text = text.replace("\r\n", "\n")
    found, at = dict[str, str](), 0
    while at < len(text):
        if match := _BLANK.match(text, at):
            at = match.end()
            continue
        match = _ASSIGNMENT.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise SecretsUnavailable(
                f"line {line} of {name} is no `NAME=value`",
                hint="quote values that have quotes or line breaks; begin comments with `#`",
            )
        found[match["name"]] = _value(match)
        at = match.end()
    return found


def _value(match: re.Match[str]) -> str:
    if match["literal"] is not None:
        return match["literal"]
    if match["escaped"] is not None:
        return re.sub(
            r"\\(.)",
            lambda one: _ESCAPES.get(one[1], one[0]),
            match["escaped"],
            flags=re.DOTALL,
        )
    return match["plain"]
