"""Naming a flow: a file, and a class in it where the file has several."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from flowkit.errors import NotFound, UsageError


@dataclass(frozen=True, slots=True)
class FlowSource:
    """Where a flow is: the absolute path of its file, and its class's name if that is needed."""

    file: str
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> FlowSource:
        """Read `flow.py` or `flow.py:Name`.

        Raises:
            NotFound: there is no such file.
            UsageError: it is a folder.
        """
        path_text, colon, name = text.rpartition(":")
        if not colon or not name.isidentifier():
            path_text, name = text, ""
        path = Path(os.path.expanduser(path_text))
        # These say no as well where no file can have such a name.
        if os.path.isdir(path):
            inside = sorted(one.name for one in path.glob("*.py"))
            example = path / (inside[0] if inside else "flow.py")
            raise UsageError(
                f"`{path_text}` is a folder", hint=f"name a flow file, such as `{example}`"
            )
        if not os.path.isfile(path):
            folder = path.parent if os.path.isdir(path.parent) else Path()
            near = get_close_matches(path.name, [one.name for one in folder.glob("*.py")], n=1)
            hint = f"did you mean `{folder / near[0]}`?" if near else "name a flow file: `flow.py`"
            raise NotFound(f"there is no file `{path_text}`", hint=hint)
        return cls(str(path.resolve()), name or None)
