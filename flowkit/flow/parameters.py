"""Parameters: what a run may be given, declared on the class and bound when the run starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from flowkit.errors import UsageError
from flowkit.flow.members import is_constant, members_of
from flowkit.flow.parameter_field import (
    NO_DEFAULT,
    ParameterContext,
    ParameterField,
    ReadFile,
    folded,
)
from flowkit.flow.parameter_types import JSONType

__all__ = [
    "JSONType",
    "Parameter",
    "ParameterContext",
    "ParametersRejected",
    "bind_parameters",
    "constants_of",
    "convert_parameters",
    "default_parameters",
    "parameters_of",
    "variable_of",
]


class ParametersRejected(UsageError):
    """Values given to a run do not fit its parameters. `problems` are all that were found."""

    def __init__(self, problems: Sequence[UsageError]) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(problems[0].message, hint=problems[0].hint)
            return
        lines = [f"{len(problems)} parameters cannot be used"]
        for one in problems:
            lines += [one.message, f"    hint: {one.hint}"]
        super().__init__("\n".join(lines), hint="`flowkit run FILE --help` lists the parameters")


def Parameter(  # noqa: N802 (a flow declares its parameters as if by a type)
    name: str | None = None,
    *,
    default: Any = NO_DEFAULT,
    type: Any = None,
    help: str | None = None,
    required: bool | None = None,
    show_default: bool = True,
    separator: str | None = None,
    multiple: bool = False,
) -> Any:
    """Declare what a run may be given.

    With `alpha = Parameter("alpha", default=0.1)` in the class, a run takes `--alpha 0.3`, or the
    environment variable `FLOWKIT_RUN_ALPHA`. Every step reads `self.alpha`; none can set it. The
    call is typed Any, so that `alpha: float = Parameter(default=0.1)` keeps its own type.

    Args:
        name: The option's name; the attribute's, if it is left out.
        default: A value, or a function of a `ParameterContext` that is called once per run.
        type: int, float, str, bool, JSONType, dict, list, an Enum, a Literal, a date or datetime,
            `list[int]` and the like, or a function of text. Left out, the annotation or the
            default decide, and text is what remains.
        help: What `--help` says about it.
        required: Whether a run needs a value. Left out, it does if the annotation does not allow
            None; without an annotation the value is None.
        show_default: Whether `--help` shows the default.
        separator: What stands between the elements, if one text gives a list of them.
        multiple: Whether the option may be given several times, for a list.
    """
    return ParameterField(
        name,
        default=default,
        type=type,
        help=help,
        required=required,
        show_default=show_default,
        separator=separator,
        multiple=multiple,
    )


def parameters_of(flow_class: type) -> dict[str, ParameterField]:
    """Return the parameters of a flow by attribute, inherited ones too."""
    return {
        name: member.value
        for name, member in members_of(flow_class).items()
        if isinstance(member.value, ParameterField)
    }


def constants_of(flow_class: type) -> dict[str, object]:
    """Return the class attributes that are data, by name: no code, nothing that starts with `_`."""
    return {
        name: member.value
        for name, member in members_of(flow_class).items()
        if is_constant(name, member.value)
    }


def bind_parameters(
    flow_class: type,
    given: Mapping[str, str | list[str]],
    *,
    context: ParameterContext,
    environment: Mapping[str, str],
    read_file: ReadFile,
) -> dict[str, object]:
    """Return the value of every parameter by attribute: given, or else by environment or default.

    `given` is by option name, where `-` and `_` are the same. `read_file` reads included files;
    it resolves relative paths. Functions that compute defaults are called once, and only if
    nothing was given.

    Raises:
        ParametersRejected: values that do not fit, are missing, or name no parameter; all of them.
    """
    parameters = parameters_of(flow_class)
    texts = {folded(name): text for name, text in given.items()}
    known = {folded(one.name): one.name for one in parameters.values()}
    problems = [_unknown(name, known) for name in given if folded(name) not in known]
    values: dict[str, object] = {}
    for attribute, parameter in parameters.items():
        text = texts.get(folded(parameter.name))
        variable = variable_of(parameter.name)
        try:
            if text is not None:
                values[attribute] = parameter.from_text(text, read_file)
            elif variable in environment:
                with _naming(variable):
                    values[attribute] = parameter.from_text(environment[variable], read_file)
            elif parameter.must_be_given:
                raise parameter.missing()
            else:
                values[attribute] = parameter.from_default(context, read_file)
        except UsageError as error:
            problems.append(error)
    if problems:
        raise ParametersRejected(problems)
    return values


def default_parameters(
    flow_class: type,
    *,
    given: Collection[str],
    context: ParameterContext,
    read_file: ReadFile,
) -> dict[str, object]:
    """Return the values of those parameters, by attribute, that need not be given and are not.

    `given` are attributes of the others.

    Raises:
        UsageError: a default does not fit, or cannot be computed.
    """
    return {
        attribute: parameter.from_default(context, read_file)
        for attribute, parameter in parameters_of(flow_class).items()
        if attribute not in given and not parameter.must_be_given
    }


def variable_of(name: str) -> str:
    """Return the environment variable that a parameter is read from.

    >>> variable_of("learning-rate")
    'FLOWKIT_RUN_LEARNING_RATE'
    """
    return f"FLOWKIT_RUN_{name.replace('-', '_').upper()}"


def convert_parameters(
    flow_class: type, given: Mapping[str, str | list[str]], *, read_file: ReadFile
) -> dict[str, object]:
    """Return the values of those parameters that are given, by attribute.

    Raises:
        ParametersRejected: values that do not fit, or name no parameter; all of them.
    """
    by_name = {folded(one.name): (at, one) for at, one in parameters_of(flow_class).items()}
    known = {name: one.name for name, (_, one) in by_name.items()}
    problems: list[UsageError] = []
    values: dict[str, object] = {}
    for name, text in given.items():
        if folded(name) not in by_name:
            problems.append(_unknown(name, known))
            continue
        attribute, parameter = by_name[folded(name)]
        try:
            values[attribute] = parameter.from_text(text, read_file)
        except UsageError as error:
            problems.append(error)
    if problems:
        raise ParametersRejected(problems)
    return values


@contextmanager
def _naming(variable: str) -> Iterator[None]:
    """Say of a value that does not fit which variable it is from: it may be set far away."""
    try:
        yield
    except UsageError as error:
        raise UsageError(
            f"{error.message}, from environment {variable}", hint=error.hint
        ) from error


def _unknown(name: str, known: Mapping[str, str]) -> UsageError:
    near = get_close_matches(folded(name), known, n=1)
    names = ", ".join(f"`{one}`" for one in sorted(known.values()))
    otherwise = f"its parameters are {names}" if known else "it has no parameters"
    return UsageError(
        f"the flow has no parameter `{name}`",
        hint=f"did you mean `--{known[near[0]]}`?" if near else otherwise,
    )
