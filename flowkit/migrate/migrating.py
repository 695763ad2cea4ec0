"""One file, by its kind."""

from __future__ import annotations

from flowkit.migrate.edits import Findings, Lines, Migration
from flowkit.migrate.files import SourceFile
from flowkit.migrate.modules import migrate_python
from flowkit.migrate.notebooks import migrate_notebook
from flowkit.migrate.offers import Offers
from flowkit.migrate.variables import find_requirements, find_variables


def migrate(file: SourceFile, offers: Offers) -> Migration:
    """Say what a file becomes under flowkit; nothing is written.

    Raises:
        SyntaxError: its Python cannot be parsed.
        ValueError: it holds what no source may, or is a notebook and no JSON.
    """
    text = file.text
    if "metaflow" not in text.lower() and "flowkit" not in text:
        return Migration(text, text)
    if file.kind == "python":
        return migrate_python(text, offers)
    if file.kind == "notebook":
        return migrate_notebook(text, offers)
    found, lines = Findings(), Lines(text)
    find_variables(text, offers, lines, found, span=(0, len(text)))
    find_requirements(text, lines, found)
    return found.migration(text)
