"""The shape of every command: one sentence, options, examples, exit codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from flowkit.cli.invocation import of_context
from flowkit.cli.offers import offer_files

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "the run failed",
    2: "wrong usage, or nothing by that name",
    3: "the flow is invalid",
    4: "infrastructure: the store, the database, a process",
    5: "a bug in flowkit",
    130: "interrupted",
}
"""What each exit code of `flowkit` means."""

Params = Sequence[click.Parameter]

WIDTH = 92
"""The widest that help is written, in columns."""


class Command(click.Command):
    """A command whose help also teaches: examples first, then what its exit codes mean.

    `examples` are command lines without the program's name; `exits` the codes besides 0 and 2.
    """

    def __init__(
        self, name: str, *, examples: Sequence[str] = (), exits: Sequence[int] = (), **rest: Any
    ) -> None:
        rest.setdefault("context_settings", {"max_content_width": WIDTH})
        super().__init__(name, **rest)
        self.examples = tuple(examples)
        self.exits = tuple(exits)

    @property
    def takes_flow(self) -> bool:
        """Whether the first argument is FLOW, which `python flow.py` fills in by itself."""
        return any(param.name == "flow" and param.required for param in self.params)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Leave FLOW out of the usage line of `python flow.py`."""
        pieces = super().collect_usage_pieces(ctx)
        if self.takes_flow and of_context(ctx).script:
            pieces.remove("FLOW")
        return pieces

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes under the options."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(
                    f"  {'':>{formatter.current_indent - 2}}{self._typed(ctx, example)}\n"
                )
        with formatter.section("Exit codes"):
            codes = sorted({0, 2, *self.exits})
            formatter.write_dl([(str(code), EXIT_CODES[code]) for code in codes])

    def _typed(self, ctx: click.Context, example: str) -> str:
        script = of_context(ctx).script is not None
        if script and self.takes_flow:
            example = " ".join(word for word in example.split(" ") if word != "flow.py")
        return f"{ctx.find_root().info_name} {example}"


def command(
    name: str, *, examples: Sequence[str], exits: Sequence[int] = (), params: Params = ()
) -> Callable[[Callable[..., Any]], Command]:
    """Turn a function into a `Command`; the docstring is its help.

    `params` come before those that decorators add.
    """

    def make(name: str, **rest: Any) -> Command:
        return Command(name, examples=examples, exits=exits, **rest)

    def decorate(function: Callable[..., Any]) -> Command:
        # click calls whatever it is given as a class, and needs no more of it than that.
        made: Command = click.command(name, cls=make, params=list(params))(function)  # type: ignore[call-overload]
        return made

    return decorate


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`, which every reading command has."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON with a versioned schema."
    )(function)


def flow_argument() -> click.Argument:
    """Make the argument FLOW, for which the shell offers files."""
    return click.Argument(["flow"], metavar="FLOW", shell_complete=offer_files)
