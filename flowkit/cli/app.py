"""The command line as a whole: global options, and what becomes of errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from flowkit.cli.commands import Menu, load_command
from flowkit.cli.configs import config_options
from flowkit.cli.driving import project_options, trigger_option
from flowkit.cli.invocation import Invocation, Script, of_context
from flowkit.cli.report import report_error
from flowkit.cli.screen import abandon, is_of_output, open_closed_streams, say
from flowkit.errors import UsageError
from flowkit.folder import FIRST_FOLDER, go_back
from flowkit.wording import is_nameable

_PROGRAM = "flowkit"
_ABOUT = """Run, resume and look at workflows written in Python.

A flow is a class in a file: `flowkit run flow.py` runs it, `flowkit show flow.py` tells what is
in it, and `flowkit COMMAND --help` teaches a command.
"""


class Application(Menu):
    """The menu at the top, which outlives a reader that stops reading."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. If stdout's reader has gone (`| head`), stop without a word."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            abandon(sys.stdout)
            return 0
        return result


def application(script: Script | None = None) -> Application:
    """Build the top of the command line, for `flowkit` or for `python flow.py`."""
    options = [*_common_options(), *(_script_options() if script else ())]
    for option in options:
        # FLOWKIT_HOME and its like are settings, which are read where settings are.
        option.allow_from_autoenv = False
    return Application(
        _PROGRAM,
        params=options,
        callback=click.pass_context(_root),
        invoke_without_command=True,
        help=_ABOUT if script is None else f"Run and look at the flow `{script.flow}`.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run `flowkit` with the words of a command line; return the exit code.

    `argv` is without the program's name; None takes the words that Python was started with.
    """
    return _run(argv, Invocation(), program=_PROGRAM)


def script_main(flow_class: type) -> NoReturn:
    """Run the command line of a flow file that is started as `python flow.py ...`.

    Raises:
        SystemExit: always; its code is the exit code.
    """
    file = getattr(sys.modules.get(flow_class.__module__), "__file__", None)
    if file is None:
        error = UsageError(
            f"flow `{flow_class.__name__}` is not in a file",
            hint="write it to a file, and run `flowkit run` with that",
        )
        sys.exit(report_error(error, Invocation()))
    # The script may have changed folder; what it runs imports it again, and does so again.
    go_back(FIRST_FOLDER)
    path = Path(file).absolute()
    invocation = Invocation(script=Script(str(path), flow_class.__name__))
    sys.exit(_run(None, invocation, program=f"python {path.name}"))


def _run(argv: Sequence[str] | None, invocation: Invocation, *, program: str) -> int:
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # What a step printed may be no text in the terminal's encoding; that must not end a run.
        if callable(reconfigure := getattr(stream, "reconfigure", None)):
            reconfigure(errors="backslashreplace")
    try:
        words = list(sys.argv[1:] if argv is None else argv)
        _see_that_all_is_nameable(words)
        code = application(invocation.script).main(
            args=words,
            prog_name=program,
            complete_var="_FLOWKIT_COMPLETE",
            auto_envvar_prefix="FLOWKIT",
            standalone_mode=False,
            obj=invocation,
        )
        sys.stdout.flush()  # help is written before any command is invoked
    except BrokenPipeError:
        abandon(sys.stdout)
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if is_of_output(error):
            abandon(sys.stdout)
        return report_error(error, invocation)
    finally:
        invocation.close()
    return code if isinstance(code, int) else 0


def _see_that_all_is_nameable(words: Sequence[str]) -> None:
    """Raise UsageError for a word that no name, index or file of ours can hold."""
    for word in words:
        if not is_nameable(word):
            raise UsageError(
                f"{word!a} on the command line is no text in UTF-8",
                hint="rename what it names, or type it anew",
            )


def _common_options() -> list[click.Option]:
    return [
        click.Option(["--home"], metavar="DIR", help="Where flowkit keeps its state."),
        click.Option(["--store"], metavar="DIR", help="Where runs and artifacts are stored."),
        click.Option(
            ["--quiet"], is_flag=True, help="Print only what the flow prints, and errors."
        ),
        click.Option(["--debug"], is_flag=True, help="Print the full traceback of an error."),
        click.Option(["--version"], is_flag=True, help="Print versions and exit."),
    ]


def _script_options() -> list[click.Option]:
    """Make the options that flow scripts take before the command."""
    return [
        click.Option(
            ["--with", "specs"],
            multiple=True,
            metavar="SPEC",
            help="Add a decorator to every step, such as `retry:times=2`.",
        ),
        *project_options(),
        trigger_option(),
        *config_options(),
        click.Option(["--datastore-root"], metavar="DIR", hidden=True),
        click.Option(["--pylint/--no-pylint"], default=None, hidden=True),
        *(
            click.Option([f"--{name}"], hidden=True, expose_value=False)
            for name in ("package-suffixes", "event-logger", "monitor")
        ),
        *(
            click.Option([f"--{name}"], hidden=True, callback=_only_local, expose_value=False)
            for name in ("datastore", "metadata", "environment")
        ),
    ]


def _only_local(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value not in (None, "local"):
        raise UsageError(
            f"`--{param.name} {value}` is not supported",
            hint=f"leave `--{param.name}` away; `--home` and `--store` say where things are kept",
        )


def _root(ctx: click.Context, /, **options: Any) -> int | None:
    """Take the global options; without a command, say what there is."""
    invocation = of_context(ctx)
    invocation.take_options(options)
    if options["version"]:
        return _follow(ctx, "version")
    if ctx.invoked_subcommand is not None:
        return None
    if invocation.script is None:
        click.echo(ctx.get_help())
        return 0
    code = _follow(ctx, "check")
    say(f"\nrun it with `{ctx.info_name} run`; `{ctx.info_name} --help` lists all commands")
    return code


def _follow(ctx: click.Context, name: str) -> int:
    """Run a command of the menu that was not typed."""
    script = of_context(ctx).script
    command = load_command(name)
    words = [script.source] if script is not None and command.takes_flow else []
    with command.make_context(name, words, parent=ctx) as inner:
        code = command.invoke(inner)
    if ctx.invoked_subcommand is not None:
        ctx.exit(code or 0)
    return code or 0
