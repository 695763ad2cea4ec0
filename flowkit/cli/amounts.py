"""Numbers as they are typed for options: in a range, and finite."""

from __future__ import annotations

import math
from typing import Any

import click


class Amount(click.FloatRange):
    """A range of numbers that holds neither an infinite one nor `nan`, which no bound keeps out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the value of an option. Raises click's BadParameter."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"`{value}` is no amount", param, ctx)
        return number


LOG_SIZE_MB = Amount(0, 1000, min_open=True)
"""How much of an attempt's output can be kept: what `log_limit_bytes` takes."""
