"""A parameter as it stands on its class: its name, its type, and what is wrong with them."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from flowkit.errors import FlowInvalid, UsageError
from flowkit.flow.config_value import ConfigValue
from flowkit.flow.late import Configs, evaluate
from flowkit.flow.parameter_types import (
    FieldsRejected,
    ParameterType,
    UserCallFailed,
    call_user,
    default_text,
    inferred_type,
    parameter_type,
)
from flowkit.graph import Fault, ParameterDescription, Place
from flowkit.wording import shown

ReadFile = Callable[[str], bytes]

RESERVED_OPTIONS = frozenset(
    {
        "config",
        "config-value",
        "executor",
        "help",
        "json",
        "max-log-size",
        "max-num-splits",
        "max-workers",
        "metadata",
        "namespace",
        "origin-run-id",
        "progress",
        "quiet",
        "run-id",
        "run-id-file",
        "runner-attribute-file",
        "store",
        "tag",
        "with",
    }
)
"""Options of the command line, which no parameter may be named like."""

_NAME = re.compile(r"[^\W\d_][\w-]*")


class _NoDefault:
    """What stands for a default that was not given: None can be meant."""

    def __repr__(self) -> str:
        return "no default"


NO_DEFAULT: Final = _NoDefault()


class ParameterContext(Struct, frozen=True, kw_only=True):
    """What a callable default is told: `Parameter("day", default=lambda context: ...)`.

    `logger` prints a line, `ds_type` is the kind of the store, and `configs` has the values of
    the flow's configs by name.
    """

    flow_name: str
    user_name: str
    parameter_name: str = ""
    logger: Callable[..., None] = lambda *_: None
    ds_type: str = "local"
    configs: ConfigValue = field(default_factory=ConfigValue)


class ParameterField:
    """A parameter on its class. Read on a flow object, it is the value that the run was given.

    `attribute` and `owner` are set when the class is made; `given_name` is the name that
    the declaration gives, which wins over the attribute's.
    """

    attribute: str
    owner: type

    def __init__(
        self,
        given_name: str | None,
        *,
        default: Any = NO_DEFAULT,
        type: Any = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool = True,
        separator: str | None = None,
        multiple: bool = False,
    ) -> None:
        self.given_name, self.default, self.declared_type = given_name, default, type
        self._written_default = default
        self.help, self.is_required, self.shows_default = help or "", required, show_default
        self.separator, self.is_multiple = separator, multiple
        self.attribute, self.owner = "", object

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.attribute:
            self.attribute, self.owner = name, owner

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        if instance.__flowkit_task__ is None:
            raise AttributeError(f"parameter `{self.name}` has no value before a run starts")
        return instance.__flowkit_task__.constant(self.attribute)

    def __set__(self, instance: Any, value: object) -> None:
        raise AttributeError(f"parameter `{self.name}` is read-only")

    def __delete__(self, instance: Any) -> None:
        raise AttributeError(f"parameter `{self.name}` is read-only")

    def __repr__(self) -> str:
        return f"Parameter({self.name!r})"

    @property
    def name(self) -> str:
        """The name of the option, without `--`."""
        return self.given_name if isinstance(self.given_name, str) else self.attribute

    def settle(self, configs: Configs) -> None:
        """Compute the default, if it is an expression over configs. Raises LateFailed."""
        self.default = NO_DEFAULT
        self.default = evaluate(self._written_default, configs)

    @property
    def has_default(self) -> bool:
        """Whether a default, or a way to compute one, was given."""
        return self.default is not NO_DEFAULT and self.default is not None

    @property
    def is_computed(self) -> bool:
        """Whether the default is a function, called once when a run starts."""
        return callable(self.default)

    @property
    def value_type(self) -> ParameterType:
        """The type: `type=`, or else the annotation's, or else the default's.

        Raises:
            FlowInvalid: the annotation cannot be resolved, or text converts to no such type.
        """
        many = self.separator is not None or self.is_multiple
        try:
            if self.declared_type is not None:
                return parameter_type(self.declared_type, many=many)
            annotation = annotation_of(self.owner, self.attribute)
            if annotation is not None:
                return parameter_type(annotation, many=many, is_annotated=True)
        except (ValueError, NameError, AttributeError, TypeError, SyntaxError) as error:
            raise FlowInvalid(
                f"the type of parameter `{self.name}` cannot be used: {error}",
                hint="declare it as in `Parameter(type=int)`, with a type known to the module",
            ) from error
        known = self.has_default and not self.is_computed
        return inferred_type(self.default if known else None, many=many)

    @property
    def must_be_given(self) -> bool:
        """Whether a run cannot start without a value for it.

        Without `required=`, that is so for an annotation that does not allow None, if there is no
        default.
        """
        if self.has_default:
            return False
        if self.is_required is not None:
            return self.is_required
        kind = self.value_type
        return kind.is_annotated and not kind.is_optional and self.default is NO_DEFAULT

    def from_text(self, text: str | Sequence[str], read_file: ReadFile) -> object:
        """Convert what was given, once or several times. Raises UsageError."""
        kind = self.value_type
        try:
            if isinstance(text, str):
                return kind.from_text(text, self.separator)
            if kind.container is not None:  # with a separator too: a program gives a list as one
                return kind.from_texts(text)
        except ValueError as error:
            raise UsageError(
                f"parameter `{self.name}` takes {kind.expected}, "
                f"not `{_shown(text)}`{_details(error)}",
                hint=f"for example `--{self.name} {kind.example(self.separator)}`",
            ) from error
        raise UsageError(
            f"parameter `{self.name}` is given {len(text)} times",
            hint=f"give it once, or declare it with `multiple=True`: `--{self.name} {text[-1]}`",
        )

    def missing(self) -> UsageError:
        """Make the error of a run that gives no value."""
        kind = self.value_type
        return UsageError(
            f"parameter `{self.name}` is missing: it takes {kind.expected}",
            hint=f"give it: `--{self.name} {kind.example(self.separator)}`",
        )

    def from_default(self, context: ParameterContext, read_file: ReadFile) -> object:
        """Return the default's value, computed if need be. Raises UsageError."""
        value = self.computed(context) if self.is_computed else self.default
        if value is NO_DEFAULT:
            return None
        kind = self.value_type
        untyped = self.is_computed and self.declared_type is None and not kind.is_annotated
        try:
            return value if untyped else kind.from_value(value, self.separator)
        except ValueError as error:
            raise UsageError(
                f"the default of parameter `{self.name}` is `{shown(value, write=repr)}`, "
                f"not {kind.expected}{_details(error)}",
                hint=f"give another one: `--{self.name} {kind.example(self.separator)}`",
            ) from error

    def computed(self, context: ParameterContext) -> object:
        """Call the function that computes the default. Raises UsageError."""
        try:
            return call_user(self.default, replace(context, parameter_name=self.name))
        except UserCallFailed as error:
            raise UsageError(
                f"the default of parameter `{self.name}` raised {error}",
                hint=f"mend the function, or give a value: `--{self.name} VALUE`",
            ) from error

    def faults(self, place: Place | None) -> list[Fault]:
        """Return what is wrong with the declaration."""
        found = []
        if not is_name(self.name) or self.given_name == "":
            found.append(
                Fault(
                    "parameter-name",
                    f"`{self.name}` is no name for a parameter",
                    "name it with letters, digits, `-` and `_`, after a letter",
                    place=place,
                )
            )
        if folded(self.name) in RESERVED_OPTIONS:
            found.append(
                Fault(
                    "parameter-reserved",
                    f"parameter `{self.name}` is named like the option `--{folded(self.name)}`",
                    f"choose another name, such as `{self.name}_`",
                    place=place,
                )
            )
        return found + self.type_faults(place)

    def type_faults(self, place: Place | None) -> list[Fault]:
        """Return what is wrong with type and default."""
        try:
            kind = self.value_type
        except FlowInvalid as error:
            return [Fault("parameter-type", error.message, error.hint or "", place=place)]
        if not self.has_default or self.is_computed:
            return []
        try:
            kind.from_value(self.default, self.separator)
            default_text(self.default)
        except ValueError as error:
            return [
                Fault(
                    "parameter-default",
                    f"the default of parameter `{self.name}` is "
                    f"`{shown(self.default, write=repr)}`, not {kind.expected}{_details(error)}",
                    f"change the default, or its type `{kind.name}`",
                    place=place,
                )
            ]
        return []

    def describe(self, attribute: str) -> ParameterDescription:
        """Describe the parameter for a command line."""
        kind = self.value_type
        default = None
        if self.has_default and self.shows_default and not self.is_computed:
            with suppress(ValueError):  # a fault says so
                default = default_text(self.default)
        return ParameterDescription(
            name=self.name,
            attribute=attribute,
            type_name=kind.name,
            help=self.help,
            required=self.must_be_given,
            default=default,
            computed=self.is_computed,
            choices=kind.choices,
            multiple=self.is_multiple,
            separator=self.separator,
        )


def is_name(name: str) -> bool:
    """Say whether a parameter or a config can have this name."""
    return _NAME.fullmatch(name) is not None


def folded(name: str) -> str:
    """Return the form in which equal options are equal."""
    return name.replace("_", "-").lower()


def annotation_of(owner: type, attribute: str) -> object:
    """Return the annotation of a class attribute, evaluated if it is text; None without one.

    Only this one is evaluated: that another cannot be does not matter here.
    """
    raw = inspect.get_annotations(owner).get(attribute)
    if raw is None:
        return None
    scope: dict[str, Any] = dict(vars(sys.modules.get(owner.__module__, SimpleNamespace())))
    for member in vars(owner).values():
        # A module that was not imported by name is still known to the functions it defines.
        scope = scope or dict(getattr(member, "__globals__", {}))
    alone = SimpleNamespace(__annotations__={attribute: raw})
    hints: dict[str, object] = typing.get_type_hints(
        alone, globalns=scope, localns=dict(vars(owner))
    )
    return hints[attribute]


def _shown(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else " ".join(text)


def _details(error: ValueError) -> str:
    return f": {error}" if isinstance(error, FieldsRejected) else ""
