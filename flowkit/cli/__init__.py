"""The command line: `flowkit ...` and `python flow.py ...`.

A thin face over the library. Every command is a function in a module of its own, imported when
the command is named: it parses, calls, prints. Data goes to stdout, talk to stderr.

* `app`: global options and errors; `commands`: the table of commands; `command`: their shape.
* `invocation`: what a command may ask for (settings, the workspace, the script).
* `run`, `resume`, `delete`, `check`, `show`, `graph`, `listing`, `logs`, `dump`, `tag`, `gc`,
  `store`, `table`, `table_upkeep`, `settings`, `doctor`, `completion`, `version`: the commands.
* `plain`, `live`: a run's progress as lines, and on a terminal as a `picture` that rich draws;
  `counts`: the figures behind it; `lines`, `tracebacks`: what both do with what tasks print.
* `screen`, `text`, `machine`: streams, colour and tables; how values look to people; JSON.
* `targets`, `offers`: what a pathspec names, and what the shell offers for one. `durations`: spans
  of time.
* `report`: errors. `reference`: writes the reference page of all commands.
"""

from __future__ import annotations

from flowkit.cli.app import main, script_main

__all__ = ["main", "script_main"]
