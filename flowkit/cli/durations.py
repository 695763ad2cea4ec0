"""Spans of time as they are typed: `90s`, `30m`, `12h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST_S = 1000 * 365.25 * 86_400


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Read the value of an option; a bare number is seconds. None if it was not given.

    Raises click's BadParameter.
    """
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", value.strip())
    if found is None:
        raise click.BadParameter(
            f"`{value}` is no duration such as 90s, 30m, 12h, 7d or 2w", ctx, param
        )
    seconds = float(found[1]) * _UNITS_S[found[2] or "s"]
    if seconds > _LONGEST_S:
        raise click.BadParameter(f"`{value}` is longer than a thousand years", ctx, param)
    return timedelta(seconds=seconds)
