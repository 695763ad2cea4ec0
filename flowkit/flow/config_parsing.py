"""Configs from text: by JSON, by a function, or by a function that is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

from flowkit.errors import UsageError
from flowkit.flow import parsers
from flowkit.flow.config_field import ConfigDeclaration
from flowkit.flow.parameter_types import UserCallFailed, call_user


def parse(declaration: ConfigDeclaration, text: str, where: str) -> Any:
    """Parse the text of a config with its parser, or else as JSON; `where` is its source.

    Raises:
        UsageError: the text cannot be parsed, or the parser cannot be imported.
    """
    parser = declaration.parser
    if parser is None:
        return _json(declaration, text, where)
    function = _function(declaration, parser) if isinstance(parser, str) else parser
    try:
        return call_user(function, text)
    except UserCallFailed as error:
        raise UsageError(
            f"the parser of config `{declaration.name}` cannot read {where}: {error}",
            hint="correct what is named, or declare another parser",
        ) from error


def _json(declaration: ConfigDeclaration, text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = "", "it is nested too deep"
        if isinstance(error, json.JSONDecodeError):
            line, reason = f", line {error.lineno}", error.msg
        elif isinstance(error, ValueError):
            reason = "it has a number of too many digits"
        raise UsageError(
            f"config `{declaration.name}` is no JSON in {where}{line}: {reason}",
            hint='correct it, or declare how to read it: `Config(parser="tomllib.loads")`',
        ) from error


def _function(declaration: ConfigDeclaration, name: str) -> Callable[[str], Any]:
    """Import a parser by its full name; flowkit's own have short names, too."""
    module, _, attribute = name.rpartition(".")
    try:
        found: Any = getattr(import_module(module) if module else parsers, attribute)
    except Exception as error:  # importing runs code that is not ours
        raise UsageError(
            f"the parser `{name}` of config `{declaration.name}` cannot be imported: "
            f"{type(error).__name__}: {error}",
            hint='name it in full, as in `parser="tomllib.loads"`, and install its package',
        ) from error
    function: Callable[[str], Any] = found
    return function
