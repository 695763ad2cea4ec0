"""`flowkit version`: print versions."""

from __future__ import annotations

import platform
import sys

from flowkit.cli.command import command, json_option
from flowkit.cli.machine import print_json
from flowkit.cli.screen import print_lines


@command("version", examples=["version", "version --json"])
@json_option
def show_version(*, as_json: bool) -> None:
    """Print the versions of flowkit and of the Python that runs it."""
    from flowkit import __version__

    python = platform.python_version()
    if as_json:
        print_json("version", flowkit=__version__, python=python, platform=sys.platform)
    else:
        print_lines([f"flowkit {__version__} (Python {python}, {sys.platform})"])
