"""A table's properties, which are text that anybody may have written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowkit.errors import UsageError
from flowkit.wording import shown


def number_property(properties: Mapping[str, str], name: str, default: int) -> int:
    """Return a property that is a whole number. Raises UsageError if it is none."""
    text = str(properties.get(name, default)).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise UsageError(
            f"the table's property `{name}` is `{shown(text)}`, which is no whole number",
            hint=f"set it to one, such as {default}",
        )
    return int(text)
