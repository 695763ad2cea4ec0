"""Environment variables by name, wherever a text has them."""

from __future__ import annotations

import re

from flowkit.migrate.edits import Edit, Findings, Lines
from flowkit.migrate.offers import Offers

_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])METAFLOW_([A-Z0-9_]*[A-Z0-9])(?![A-Za-z0-9_])")
_REQUIREMENT = re.compile(
    r"""
    ^[ \t]*(?:-[ \t]*)?["']?metaflow(?:\[[^\]\n]*\])?[ \t]*(?:[<>=!~;\#"',][^\n]*)?$
    | \b(?:pip3?|uv|conda|mamba|poetry)\b[^\n]*\b(?:install|add)\b[^\n]*[ "']metaflow\b(?![-./])
    """,
    re.MULTILINE | re.VERBOSE,
)


def find_variables(
    text: str,
    offers: Offers,
    lines: Lines,
    found: Findings,
    *,
    span: tuple[int, int],
    except_for: frozenset[str] = frozenset(),
) -> None:
    """Note what becomes of each `METAFLOW_...` in a span of a text, but for some."""
    for match in _VARIABLE.finditer(text, *span):
        if match[0] in except_for:
            continue
        name = match[1]
        if new := offers.variable(name):
            found.edits.add(Edit(match.start(), match.end(), new))
        else:
            found.remark(
                lines.line_at(match.start()),
                "differs" if offers.differs(name) else "missing",
                offers.variable_remark(name),
            )


def find_requirements(text: str, lines: Lines, found: Findings) -> None:
    """Note each line that asks for Metaflow as a package."""
    for match in _REQUIREMENT.finditer(text):
        line = lines.line_at(match.end() - 1)
        found.remark(line, "differs", "asks for the package `metaflow`, not for `flowkit`")
