"""One file, by its kind."""

from __future__ import annotations

import json

from flowkit.migrate.edits import Findings, Lines, Migration
from flowkit.migrate.files import SourceFile
from flowkit.migrate.modules import migrate_python
from flowkit.migrate.offers import Offers
from flowkit.migrate.variables import find_requirements, find_variables


def migrate(file: SourceFile, offers: Offers) -> Migration:
    """Say what a file becomes under flowkit; nothing is written.

    Raises:
        SyntaxError: it is Python, and cannot be parsed.
        ValueError: it holds what no source may.
    """
    text = file.text
    if "metaflow" not in text.lower() and "flowkit" not in text:
        return Migration(text, text)
    if file.kind == "python":
        return migrate_python(text, offers)
    found, lines = Findings(), Lines(text)
    if file.kind == "notebook":
        if _imports_metaflow(text):
            found.remark(1, "differs", "notebooks are not rewritten: change its imports by hand")
        return found.migration(text)
    find_variables(text, offers, lines, found, span=(0, len(text)))
    find_requirements(text, lines, found)
    return found.migration(text)


def _imports_metaflow(notebook: str) -> bool:
    cells = json.loads(notebook).get("cells", ())
    sources = (cell["source"] for cell in cells if cell.get("cell_type") == "code")
    lines = "\n".join("".join(source) for source in sources).splitlines()
    return any(line.split()[:1] in (["from"], ["import"]) and "metaflow" in line for line in lines)
