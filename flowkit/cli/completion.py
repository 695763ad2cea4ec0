"""`flowkit completion`: a script that lets the shell complete commands, options and runs."""

from __future__ import annotations

import click

from flowkit.cli.command import command
from flowkit.cli.screen import print_lines
from flowkit.errors import FlowkitBug

_NO_SPACE = """\
    # After `Flow/` goes the run, without a blank.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace
    fi

"""


@command(
    "completion",
    examples=[
        "completion bash > ~/.flowkit-completion.bash  # then source it in ~/.bashrc",
        "completion zsh > ~/.zfunc/_flowkit",
        "completion fish > ~/.config/fish/completions/flowkit.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
@click.pass_context
def print_completion(ctx: click.Context, /, *, shell: str) -> None:
    """Print a script for the shell that completes commands, options, flows and runs."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise FlowkitBug(f"click knows no completion for `{shell}`")
    made = kind(ctx.find_root().command, {}, "flowkit", "_FLOWKIT_COMPLETE")
    # What `source()` does besides is to start a bash and ask for its version.
    script = (made.source_template % made.source_vars()).strip()
    if shell == "bash":
        script = script.replace("    return 0\n", _NO_SPACE + "    return 0\n")
    print_lines([script])
