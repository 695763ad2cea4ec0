"""How an error reaches the person: what happened, a blank line, and what to do next."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from flowkit.cli.screen import is_of_output, paint, say
from flowkit.cli.text import count_of
from flowkit.errors import FlowInvalid, FlowkitBug, FlowkitError, OutputFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowkit.cli.invocation import Invocation
    from flowkit.graph import Fault


def report_error(error: BaseException, invocation: Invocation) -> int:
    """Print an error on stderr and return the exit code it stands for."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        say("interrupted")
        return 130
    known = _translated(error, invocation)
    if isinstance(known, FlowInvalid) and (faults := getattr(known, "faults", ())):
        print_faults(faults)
    else:
        print_error(known.message, known.hint, details=getattr(known, "traceback", None))
    if invocation.debug:
        sys.stderr.write("\n" + "".join(traceback.format_exception(error)))
    return known.exit_code


def print_error(message: str, *hints: str | None, details: str | None = None) -> None:
    """Print `error: ...`, details if there are any, and a `hint: ...` for each hint there is.

    Blank lines stand between the parts, none between hints.
    """
    parts = [f"{paint('error:', 'bold red', stream=sys.stderr)} {message}"]
    if details:
        parts.append(details.rstrip("\n"))
    label = paint("hint:", "bold cyan", stream=sys.stderr)
    if lines := [f"{label} {hint}" for hint in hints if hint]:
        parts.append("\n".join(lines))
    say("\n\n".join(parts))


def print_faults(faults: Sequence[Fault]) -> None:
    """Print all faults of a flow, each with its place and what to do about it."""
    say(f"{paint('error:', 'bold red', stream=sys.stderr)} {count_of(len(faults), 'fault')}\n")
    for fault in faults:
        where = "" if fault.place is None else f"{near_path(fault.place.file)}:{fault.place.line}: "
        say(f"{where}{fault.message}")
        if fault.hint:
            say(f"  {paint('hint:', 'bold cyan', stream=sys.stderr)} {fault.hint}")


def near_path(file: str) -> str:
    """Write a path from the current folder if it lies under it, else as it is."""
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # elsewhere, or nowhere: the folder is gone
        return file


def _translated(error: BaseException, invocation: Invocation) -> FlowkitError:
    if isinstance(error, FlowkitError):
        return error
    if isinstance(error, click.ClickException):
        return _usage_error(error, invocation)
    if is_of_output(error):
        return OutputFailed(
            f"the output cannot be written: {str(error).partition('] ')[2].lower()}",
            hint="write it to where there is room for it",
        )
    if isinstance(error, FileNotFoundError) and not _is_somewhere():
        return UsageError(
            "the folder that flowkit was started in is gone",
            hint="go to one that is there with `cd`, and run it again",
        )
    bug = FlowkitBug(f"{type(error).__name__}: {error}")
    if not invocation.debug:
        bug.hint = "run it again with `--debug` before the command, and report what that prints"
    return bug


def _is_somewhere() -> bool:
    """Say whether the working folder is still there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _usage_error(error: click.ClickException, invocation: Invocation) -> UsageError:
    """Say in our own form what click has found wrong with the command line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    name = context.command_path if context else invocation.command_line("").strip()
    hint = f"run `{name} --help` to see what it takes"
    match error:
        case click.NoSuchOption(option_name=option, possibilities=near):
            message = f"`{option}` is no option of `{name}`"
            if near:
                hint = f"did you mean `{near[0]}`?"
        case click.MissingParameter(param=click.Parameter() as param):
            kind = "argument" if param.param_type_name == "argument" else "option"
            message = f"{kind} {_name_of(param, context)} is missing"
        case click.BadParameter(param=click.Parameter() as param):
            source = _variable_of(param, context)
            name = _name_of(param, context) + (f" in environment {source}" if source else "")
            message = f"{name}: {_in_our_form(error.message)}"
        case _:
            message = _in_our_form(error.format_message())
    return UsageError(message, hint=hint)


def _name_of(param: click.Parameter, context: click.Context | None) -> str:
    if isinstance(param, click.Option):
        return f"`{max(param.opts, key=len)}`"
    return f"`{param.make_metavar(context or click.Context(click.Command(None)))}`"


def _variable_of(param: click.Parameter, context: click.Context | None) -> str | None:
    """Return the environment variable that an option's value was taken from, if it was."""
    if context is None or param.name is None:
        return None
    if context.get_parameter_source(param.name) is not ParameterSource.ENVIRONMENT:
        return None
    return f"{context.auto_envvar_prefix}_{param.name.upper()}"


def _in_our_form(text: str) -> str:
    text = text.strip().removesuffix(".").replace("'", "`")
    return text[:1].lower() + text[1:]
