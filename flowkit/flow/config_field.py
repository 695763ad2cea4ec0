"""`Config`: what a flow is configured with, known before its decorators count."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flowkit.flow.late import Configs, Late, LateFailed, LateValue
from flowkit.flow.members import members_of
from flowkit.flow.parameter_field import annotation_of, is_name
from flowkit.flow.parameter_types import is_structure, without_none
from flowkit.graph import ConfigDescription, Fault, Place

Parser = Callable[[str], Any]


@dataclass(slots=True, kw_only=True)
class ConfigDeclaration:
    """A config as its class declares it. `attribute` and `owner` are set when that is made."""

    given_name: str | None
    default: Any
    default_value: Any
    is_required: bool
    parser: Parser | str | None
    is_plain: bool
    declared_type: Any
    help: str
    attribute: str = ""
    owner: type = object

    @property
    def name(self) -> str:
        """The name by which a command line gives it."""
        return self.given_name if isinstance(self.given_name, str) else self.attribute

    @property
    def model(self) -> Any:
        """The model or dataclass that values are made into; None for a `ConfigValue`."""
        if self.declared_type is not None:
            return self.declared_type
        try:
            annotated, _ = without_none(annotation_of(self.owner, self.attribute))
        except (NameError, AttributeError, TypeError, SyntaxError):
            # An annotation of another kind is for people and type checkers.
            return None
        return annotated if is_structure(annotated) else None

    def faults(self, place: Place | None) -> list[Fault]:
        """Return what is wrong with the declaration."""
        found = []
        if not is_name(self.name) or self.given_name == "":
            found.append(
                Fault(
                    "config-name",
                    f"`{self.name}` is no name for a config",
                    "name it with letters, digits, `-` and `_`, after a letter",
                    place=place,
                )
            )
        if self.declared_type is not None and not is_structure(self.declared_type):
            found.append(
                Fault(
                    "config-type",
                    f"the type of config `{self.name}` is `{self.declared_type!r}`",
                    "declare it with a pydantic model or a dataclass, or with none",
                    place=place,
                )
            )
        if self.parser is not None and not (callable(self.parser) or isinstance(self.parser, str)):
            found.append(
                Fault(
                    "config-type",
                    f"the parser of config `{self.name}` is `{self.parser!r}`, no function",
                    'give a function of text, or its name: `parser="tomllib.loads"`',
                    place=place,
                )
            )
        return found

    def describe(self, value: str | None) -> ConfigDescription:
        """Describe the config with its value as JSON."""
        return ConfigDescription(
            name=self.name,
            attribute=self.attribute,
            value=value,
            help=self.help,
            required=self.is_required,
        )


class ConfigField(LateValue):
    """A config on its class, where it is a late value; on a flow object it is the value itself.

    All of its own names begin with `_`: what keys a config has is not known here.
    """

    __slots__ = ("__flowkit_config__",)
    __flowkit_config__: ConfigDeclaration

    def __init__(self, declaration: ConfigDeclaration, *, file: str, line: int) -> None:
        def compute(configs: Configs) -> Any:
            if declaration.attribute not in configs:
                raise LateFailed(
                    self.__flowkit_late__,
                    "it is no config of the flow",
                    hint="declare it in the class of the flow: `config = Config(...)`",
                )
            return configs[declaration.attribute]

        self.__flowkit_config__ = declaration
        super().__init__(Late(declaration.given_name or "config", file, line, compute))

    def __set_name__(self, owner: type, name: str) -> None:
        declaration, late = self.__flowkit_config__, self.__flowkit_late__
        if not declaration.attribute:
            declaration.attribute, declaration.owner = name, owner
            self.__flowkit_late__ = Late(name, late.file, late.line, late.compute)

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        if instance.__flowkit_task__ is None:
            raise AttributeError(f"config `{self}` has no value before a run starts")
        return instance.__flowkit_task__.constant(self.__flowkit_config__.attribute)

    def __set__(self, instance: Any, value: object) -> None:
        raise AttributeError(f"config `{self}` is read-only")

    def __delete__(self, instance: Any) -> None:
        raise AttributeError(f"config `{self}` is read-only")

    def __repr__(self) -> str:
        return f"Config({self.__flowkit_config__.name!r})"


def Config(  # noqa: N802 (a flow declares its configs as if by a type)
    name: str | None = None,
    default: Any = None,
    default_value: Any = None,
    help: str | None = None,
    required: bool = False,
    parser: Parser | str | None = None,
    plain: bool = False,
    *,
    type: Any = None,
) -> Any:
    """Declare what a flow is configured with, before its decorators count.

    With `config = Config("config", default="config.json")` in the class, decorators below take
    `config.key`, decorators above it `config_expr("config.key")`, and every step reads
    `self.config.key`. A run takes `--config config FILE` or `--config-value config JSON`.

    Args:
        name: The name on command lines; the attribute's, if it is left out.
        default: The path of a file, or a function of a `ParameterContext` that returns one.
        default_value: What counts where no file is: a dict, text for the parser, or a function of
            a `ParameterContext` that returns one of these.
        help: What `flowkit show` says about it.
        required: Whether it must have a value. If not, it is None without one.
        parser: A function of the file's text, or its full name, such as `"tomllib.loads"`. Left
            out, the text is JSON.
        plain: Whether the value is left as it is parsed, instead of made a `ConfigValue`.
        type: A pydantic model or a dataclass that values are made into; an annotation with one
            says the same.
    """
    caller = sys._getframe(1)
    declaration = ConfigDeclaration(
        given_name=name,
        default=default,
        default_value=default_value,
        is_required=required,
        parser=parser,
        is_plain=plain,
        declared_type=type,
        help=help or "",
    )
    return ConfigField(declaration, file=caller.f_code.co_filename, line=caller.f_lineno)


def configs_of(flow_class: type) -> dict[str, ConfigDeclaration]:
    """Return the configs of a flow by attribute, inherited ones too."""
    return {
        name: member.value.__flowkit_config__
        for name, member in members_of(flow_class).items()
        if isinstance(member.value, ConfigField)
    }
