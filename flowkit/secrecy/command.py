"""`command`: what a program prints, such as a password manager's."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Final

import msgspec

from flowkit.errors import SecretsUnavailable
from flowkit.secrecy.env_file import parse_variables

LIMIT_S: Final = 60.0
"""How long a command may take, unless the option `timeout` says otherwise."""


class CommandProvider:
    """Runs a command, without a shell; the id is its command line.

    With the option `env_var_name` all that it prints is that variable's value, but for the line
    break at the end. Otherwise it prints a JSON object, or `NAME=value` lines.
    """

    def fetch(self, id: str, *, options: Mapping[str, object], role: str | None) -> dict[str, str]:
        """Return what the command prints. Raises SecretsUnavailable."""
        printed = _printed(id, options.get("timeout", LIMIT_S))
        name = options.get("env_var_name")
        if isinstance(name, str):
            return {name: printed.removesuffix("\n").removesuffix("\r")}
        if printed.lstrip().startswith("{"):
            return _object(printed, id)
        return parse_variables(printed, name=f"what `{id}` printed")


def _printed(line: str, limit_s: object) -> str:
    if isinstance(limit_s, bool) or not isinstance(limit_s, int | float) or not 0 < limit_s <= 1e9:
        raise SecretsUnavailable(
            f"`timeout` of the command `{line}` is no number of seconds",
            hint=f'write `"timeout": {LIMIT_S:g}`',
        )
    try:
        # What it writes to stderr is not shown either: nobody knows what a broken command prints.
        done = subprocess.run(
            shlex.split(line),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
        printed = done.stdout.decode()
    except subprocess.TimeoutExpired:
        raise _failed(line, f"did not end within {limit_s:g} seconds") from None
    except OSError as error:
        raise _failed(line, f"cannot be started: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _failed(line, "printed what is no UTF-8 text") from None
    except (ValueError, IndexError):
        raise _failed(line, "is no command line") from None
    if done.returncode != 0:
        raise _failed(line, f"ended with exit code {done.returncode}")
    return printed


def _object(text: str, line: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise _failed(line, "printed what is no JSON object") from None
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in found.items()
    }


def _failed(line: str, what: str) -> SecretsUnavailable:
    return SecretsUnavailable(
        f"the command `{line}` {what}; what it printed is not shown, as it may be secret",
        hint="run it yourself, in the folder and with the variables that the run has",
    )
