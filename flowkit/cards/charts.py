"""Drawing charts: Vega and Vega-Lite specifications to SVG, in a process of its own.

The library that draws runs JavaScript in threads, which a fork does not survive; and cards are
made in forks. `python -m flowkit.cards.charts` reads a specification and writes the drawings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from flowkit.errors import StoreError, UsageError

DRAW_LIMIT_S = 40.0
SVG_LIMIT_BYTES = 8_000_000


def can_draw() -> bool:
    """Say whether the package that draws is installed."""
    return find_spec("vl_convert") is not None


def draw(spec: object) -> tuple[str, str]:
    """Return a chart as SVG on a light and on a dark ground.

    Raises:
        UsageError: the specification cannot be drawn.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "flowkit.cards.charts"],
            input=json.dumps(spec, default=str).encode(),
            capture_output=True,
            timeout=DRAW_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"the chart took longer than {DRAW_LIMIT_S:g} s to draw", hint="give it fewer rows"
        ) from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(
            f"the chart cannot be drawn: {lines[-1] if lines else 'no reason given'}",
            hint="check the specification in an editor for Vega",
        )
    if len(done.stdout) > 2 * SVG_LIMIT_BYTES:
        raise StoreError("the chart is too large to draw", hint="give it fewer rows")
    light, dark = json.loads(done.stdout)
    return light, dark


def _look(*, dark: bool) -> dict[str, Any]:
    ink, quiet = ("#e6e6e3", "#4a4a48") if dark else ("#1f2328", "#d9d9d4")
    words = {"labelColor": ink, "titleColor": ink}
    lines = {"gridColor": quiet, "domainColor": quiet, "tickColor": quiet}
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "axis": words | lines,
        "legend": words,
        "header": words,
        "title": {"color": ink, "subtitleColor": ink},
        "text": {"color": ink},
        "view": {"stroke": None},
    }


def _drawn(spec: Any, *, dark: bool) -> str:
    # Loaded here, in the process that does nothing else.
    import vl_convert

    look = _look(dark=dark)
    # What a chart fetched from the network would make the card depend on it.
    if "schema/vega/" in str(spec.get("$schema", "")):
        drawn = vl_convert.vega_to_svg(
            {**spec, "config": look | spec.get("config", {})}, allowed_base_urls=[]
        )
    else:
        drawn = vl_convert.vegalite_to_svg(spec, config=look, allowed_base_urls=[])
    return str(drawn)


if __name__ == "__main__":
    found = json.load(sys.stdin)
    try:
        json.dump([_drawn(found, dark=False), _drawn(found, dark=True)], sys.stdout)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
