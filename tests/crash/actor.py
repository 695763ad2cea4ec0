"""A program that does what it is told by lines of JSON: commands of `flowkit`, one by one.

It answers each with its exit code and what it printed, as a line of JSON. A process that is there
already is quicker than a new one for each command, and gets more of them between one another.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from flowkit.cli import main


def obey(words: list[str]) -> dict[str, object]:
    """Carry out one command."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)
