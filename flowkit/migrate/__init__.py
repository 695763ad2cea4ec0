"""The room that turns files of Metaflow flows into files of flowkit flows.

`offers` asks flowkit what it has; `modules` reads Python (`notebooks` what of it is in cells) and
`variables` the names of environment variables; they answer with edits and remarks. `files` finds
files, and reads and writes them whole.

Nothing of a file is written anew but the spans that change: comments, layout, encoding and ends
of lines stay as they are because nobody touches them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.migrate.edits import Migration, Remark
    from flowkit.migrate.files import SourceFile, find_files, read_file, write_file
    from flowkit.migrate.migrating import migrate
    from flowkit.migrate.offers import Offers, ask_flowkit

__all__ = [
    "Migration",
    "Offers",
    "Remark",
    "SourceFile",
    "ask_flowkit",
    "find_files",
    "migrate",
    "read_file",
    "write_file",
]

_MODULES = {
    "flowkit.migrate.edits": "Migration Remark",
    "flowkit.migrate.files": "SourceFile find_files read_file write_file",
    "flowkit.migrate.migrating": "migrate",
    "flowkit.migrate.offers": "Offers ask_flowkit",
}
__getattr__ = loads("flowkit.migrate", _MODULES)
