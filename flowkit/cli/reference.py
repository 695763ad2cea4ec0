"""The reference page of the command line, written from the commands themselves.

`python -m flowkit.cli.reference > docs/reference/cli.md` writes it anew.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import click

from flowkit.cli.app import application
from flowkit.cli.command import EXIT_CODES, Command
from flowkit.cli.commands import COMMANDS, load_command

_INTRODUCTION = """# The command line

`flowkit COMMAND` works on any flow file and on everything that has run. A flow file that ends with

```python
if __name__ == "__main__":
    MyFlow()
```

has the same commands: `python flow.py run` is `flowkit run flow.py`, and pathspecs may leave the
flow out, as in `python flow.py logs 12/train`. Options such as `--with` and
`--datastore-root` may stand before the command there. `python flow.py` alone checks the flow.

Data goes to stdout, everything else to stderr. Every command that reads has `--json`: one document
with a `schema` such as `flowkit.list-runs/1`, whose number goes up when a field goes away or
changes its meaning; times in it are UTC, ids whole. Parameters and artifacts have their `value`
where JSON can hold it exactly, else its `text` as Python writes it, or the `error` that keeps it
from being loaded or written. Where a list stops at its limit, `more` is true.

Colour is for terminals only, and [`NO_COLOR`](https://no-color.org) turns it off. Options may also
be given as variables: `FLOWKIT_RUN_MAX_WORKERS=8` is `flowkit run --max-workers 8`.

A run on a terminal shows a table of its steps that moves; in a pipe, or with `--progress plain`,
one line for each change of a task:

```text
HH:MM:SS step[path] attempt N state duration
```

What tasks print goes to the stream that they printed it to, behind `step[path] | `.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_INTRODUCTION, *_overview(), *_sections()])


def _overview() -> Iterator[str]:
    yield "| command | what it does |\n|---|---|"
    for name, entry in COMMANDS.items():
        yield f"| [`flowkit {name}`](#{_anchor(name)}) | {_cell(entry.summary)} |"
    yield "\nOptions before the command:\n"
    yield from _options([one for one in application().params if isinstance(one, click.Option)])
    yield "\nExit codes:\n\n| code | meaning |\n|---|---|"
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())


def _sections() -> Iterator[str]:
    for name in COMMANDS:
        made = load_command(name)
        yield f"\n## flowkit {name}\n"
        yield inspect.cleandoc(made.help or "") + "\n"
        yield f"```text\nflowkit {name} {_usage(made)}\n```\n"
        options = [param for param in made.params if isinstance(param, click.Option)]
        yield from _options(options)
        if name == "run":
            yield "\nBesides these, every parameter of the flow is an option."
        yield "\n```text"
        yield from (f"flowkit {example}" for example in made.examples)
        yield "```\n"
        codes = ", ".join(f"{code} ({EXIT_CODES[code]})" for code in sorted({0, 2, *made.exits}))
        yield f"Exit codes: {codes}."


def _usage(made: Command) -> str:
    words = ["[OPTIONS]"]
    for param in made.params:
        if isinstance(param, click.Argument):
            name = param.metavar or (param.name or "").upper()
            words.append(name if param.required or name.startswith("[") else f"[{name}]")
    return " ".join(words)


def _options(options: list[click.Option]) -> Iterator[str]:
    shown = [option for option in options if not option.hidden]
    if not shown:
        return
    yield "| option | what it does |\n|---|---|"
    for option in shown:
        names = ", ".join([*option.opts, *option.secondary_opts])
        text = f"`{names}{_value(option)}`"
        about = option.help or ""
        if option.show_default and option.default is not None:
            about += f" Default: {option.default}."
        yield f"| {_cell(text)} | {_cell(about)} |"


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return f" {'|'.join(map(str, option.type.choices))}"
    if option.metavar:
        return f" {option.metavar}"
    is_number = isinstance(option.type, click.IntRange | click.types.IntParamType)
    return " N" if is_number else f" {max(option.opts, key=len).strip('-').upper()}"


def _anchor(name: str) -> str:
    return f"flowkit-{name.replace(' ', '-')}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
