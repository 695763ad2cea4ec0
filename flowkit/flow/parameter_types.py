"""The types of parameters: how text, and values from Python, become values of a type."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

import msgspec

_TRUTHS = {"true": True, "1": True, "yes": True, "on": True}
_TRUTHS |= {"false": False, "0": False, "no": False, "off": False}
_UNIONS = (Union, types.UnionType)
_CONTAINERS = (list, tuple, set, frozenset)


class JSONType:
    """The type of a parameter that is given as JSON: `Parameter("config", type=JSONType)`."""


_ANY_JSON = (JSONType, Any, object)
_PLAIN: dict[object, tuple[str, str]] = {
    int: ("a whole number", "3"),
    float: ("a number", "0.5"),
    bool: ("true or false", "true"),
    str: ("text", "text"),
    date: ("a date", "2026-01-31"),
    datetime: ("a date and time", "2026-01-31T08:00:00+00:00"),
}


@dataclass(frozen=True, slots=True)
class ParameterType:
    """What values a parameter has, and how to make them. All conversions raise ValueError.

    `kind` is a type, or anything that annotations know, or a function that takes text. With
    `container`, values are lists (tuples, sets) of `kind`, given one by one or with a separator.
    """

    kind: Any
    container: type | None = None
    is_optional: bool = False
    is_annotated: bool = False

    def from_text(self, text: str, separator: str | None) -> object:
        """Convert what a command line or an environment variable gives."""
        if self.container is None:
            return _from_text(self.kind, text)
        if separator is not None:
            return self.from_texts(text.split(separator) if text else [])
        if text.lstrip().startswith("["):
            return self.from_value(_json(text), None)
        return self.from_texts([text])

    def from_texts(self, texts: Sequence[str]) -> object:
        """Convert the elements of a container, each given as text."""
        assert self.container is not None
        return self.container(_from_text(self.kind, text.strip()) for text in texts)

    def from_value(self, value: object, separator: str | None) -> object:
        """Convert a default; None is always allowed, and text is read like a command line's."""
        try:
            return self._from_value(value, separator)
        except OverflowError as error:
            raise ValueError(str(error)) from error

    def _from_value(self, value: object, separator: str | None) -> object:
        if value is None:
            return None
        if self.container is None:
            return _from_text_or_value(self.kind, value)
        if isinstance(value, str):
            return self.from_text(value, separator)
        if not isinstance(value, _CONTAINERS):
            raise ValueError(f"`{type(value).__name__}` holds no elements")
        return self.container(_from_value(self.kind, one) for one in value)

    @property
    def name(self) -> str:
        """The type's name, for people."""
        name = _type_name(self.kind)
        return f"{self.container.__name__}[{name}]" if self.container else name

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that are allowed, if they are few and known."""
        if get_origin(self.kind) is Literal:
            return tuple(str(one) for one in get_args(self.kind))
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            return tuple(self.kind.__members__)
        return ()

    @property
    def expected(self) -> str:
        """What text must look like, to go on after `takes`."""
        one = _expected(self.kind, self.choices)
        return f"a list, each element {one}" if self.container else one

    def example(self, separator: str | None) -> str:
        """Return text that converts, to go on after an option's name."""
        one = self.choices[0] if self.choices else _example(self.kind)
        return f"{one}{separator}{one}" if self.container and separator is not None else one


class FieldsRejected(ValueError):
    """Values do not fit the fields of a model or a dataclass; the text names each."""


class UserCallFailed(ValueError):
    """A function of the flow's author raised; the text says what."""


def call_user(function: Callable[[Any], object], argument: object) -> object:
    """Call a type, parser or default of the flow's author. Raises UserCallFailed."""
    try:
        return function(argument)
    except Exception as error:  # It is not our code: anything can come out of it.
        raise UserCallFailed(f"{type(error).__name__}: {error}") from error


def is_structure(kind: object) -> bool:
    """Say whether a type is a pydantic model or a dataclass."""
    return isinstance(kind, type) and (is_model(kind) or is_dataclass(kind))


def is_model(kind: object) -> bool:
    """Say whether a type is a pydantic model, without importing pydantic to find out."""
    return isinstance(kind, type) and hasattr(kind, "model_validate")


def structured(kind: Any, value: object) -> object:
    """Make a pydantic model or a dataclass of a dict. Raises FieldsRejected, or UserCallFailed."""
    if isinstance(value, kind):
        return value
    if is_model(kind):
        return _model(kind, value)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        told, _, path = str(error).partition(" - at ")
        raise FieldsRejected(f"`{path.strip('`$.')}`: {told}" if path else told) from error
    except Exception as error:  # what the class does with its fields is not our code
        raise UserCallFailed(f"{type(error).__name__}: {error}") from error


def parameter_type(declared: object, *, many: bool, is_annotated: bool = False) -> ParameterType:
    """Make the type from what `type=` or an annotation says.

    `many`: the parameter is given several times, or with a separator.

    Raises:
        ValueError: text cannot be converted to it.
    """
    kind, is_optional = without_none(declared)
    container: type | None = None
    if many:
        container, kind = _element(kind)
    if not _is_known(kind):
        raise ValueError(f"`{_type_name(kind)}` cannot be made from text")
    return ParameterType(kind, container, is_optional, is_annotated)


def inferred_type(default: object, *, many: bool) -> ParameterType:
    """Make the type from a default; text, if there is none."""
    if many and isinstance(default, _CONTAINERS):
        first = next(iter(default), "")
        return ParameterType(type(first) if _is_known(type(first)) else str, type(default))
    if default is None or (many and isinstance(default, str)):
        return parameter_type(str, many=many)
    if isinstance(default, Mapping | list | tuple):
        return parameter_type(JSONType, many=many)
    return parameter_type(type(default), many=many)


def default_text(value: object) -> str:
    """Write a default for people, and so that it converts back. Raises ValueError."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if is_model(type(value)):
        written: str = value.model_dump_json()  # type: ignore[attr-defined]
        return written
    if isinstance(value, Mapping | list | tuple | set | frozenset) or is_dataclass(value):
        try:
            return msgspec.json.encode(value, enc_hook=str).decode()
        except (OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from error
    return str(value)


def without_none(declared: object) -> tuple[Any, bool]:
    """Return a type without None, and whether None was among what it allows."""
    if get_origin(declared) not in _UNIONS:
        return declared, False
    members = tuple(one for one in get_args(declared) if one is not type(None))
    return Union[members], len(members) < len(get_args(declared))  # noqa: UP007 (a computed union)


def _element(kind: Any) -> tuple[type, Any]:
    origin = get_origin(kind) or kind
    if origin is Sequence:
        origin = list
    if origin not in _CONTAINERS:
        return list, kind
    arguments = [one for one in get_args(kind) if one is not ...]
    return origin, arguments[0] if arguments else str


def _is_known(kind: Any) -> bool:
    if get_origin(kind) is None:
        return kind in _ANY_JSON or callable(kind)
    return all(
        get_origin(kind) is Literal or one is ... or _is_known(one) for one in get_args(kind)
    )


def _from_text(kind: Any, text: str) -> object:
    if kind is str:
        return text
    if kind is bool:
        return _truth(text)
    if kind in (date, datetime):
        return kind.fromisoformat(text.strip())
    if get_origin(kind) is Literal:
        return _pick({str(one): one for one in get_args(kind)}, text)
    if get_origin(kind) in _UNIONS:
        return _first(kind, text, _from_text)
    if isinstance(kind, type) and issubclass(kind, Enum):
        by_value = {str(one.value): one for one in kind}
        return _pick(by_value | dict(kind.__members__), text)
    if _is_json(kind):
        return _from_value(kind, _json(text))
    return call_user(kind, text)


def _from_text_or_value(kind: Any, value: object) -> object:
    is_text = isinstance(value, str) and not _is_instance(kind, value)
    return _from_text(kind, str(value)) if is_text else _from_value(kind, value)


def _from_value(kind: Any, value: object) -> object:
    """Convert a value that did not come as text, or an element of JSON."""
    if kind in _ANY_JSON:
        return value
    if get_origin(kind) in _UNIONS:
        return _first(kind, value, _from_value)
    if _is_instance(kind, value):
        return value
    if isinstance(value, str) and not _is_json(kind):
        return _from_text(kind, value)
    if is_structure(kind):
        return structured(kind, value)
    origin = get_origin(kind)
    if origin is Literal:
        matches = [one for one in get_args(kind) if one == value and type(one) is type(value)]
        if not matches:
            raise ValueError("it is no choice")
        return matches[0]
    if origin in _CONTAINERS and isinstance(value, _CONTAINERS) and origin is not tuple:
        return origin(_from_value(get_args(kind)[0], one) for one in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and not _is_json(kind):
        raise ValueError(f"it is a `{type(value).__name__}`")
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(str(error)) from error


def _is_instance(kind: Any, value: object) -> bool:
    """Say whether a value needs no conversion; True is no number here."""
    is_plain = isinstance(kind, type) and get_origin(kind) is None
    return (
        is_plain and isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)
    )


def _is_json(kind: Any) -> bool:
    """Say whether text of a type is JSON."""
    if kind in _ANY_JSON or get_origin(kind) is not None or is_typeddict(kind):
        return True
    return is_structure(kind) or (isinstance(kind, type) and issubclass(kind, (dict, *_CONTAINERS)))


def _model(kind: Any, value: object) -> object:
    try:
        return kind.model_validate(value)
    except ValueError as error:
        # pydantic's own has a list; a model may raise another ValueError as it is made.
        list_errors: Any = getattr(error, "errors", lambda **_: [])
        told = [
            f"`{'.'.join(map(str, one['loc'])) or 'all of it'}`: {one['msg']}"
            for one in list_errors(include_url=False)
        ]
        raise FieldsRejected("; ".join(told) or str(error)) from error
    except Exception as error:  # a validator of the author's: anything can come out of it
        raise UserCallFailed(f"{type(error).__name__}: {error}") from error


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _truth(text: str) -> bool:
    truth: bool = _pick(_TRUTHS, text.strip().lower())
    return truth


def _pick(choices: Mapping[str, Any], text: str) -> Any:
    if text not in choices:
        raise ValueError("it is no choice")
    return choices[text]


def _first(kind: Any, value: Any, convert: Callable[[Any, Any], object]) -> object:
    """Convert to the first type of a union that takes the value."""
    for one in get_args(kind):
        try:
            return convert(one, value)
        except ValueError:
            continue
    raise ValueError("no type of the union takes it")


def _type_name(kind: Any) -> str:
    if kind in _ANY_JSON:
        return "JSON"
    if get_origin(kind) in _UNIONS:
        return " | ".join(map(_type_name, get_args(kind)))
    if get_origin(kind) is not None:
        return str(kind).replace("typing.", "").replace("collections.abc.", "")
    return str(getattr(kind, "__name__", kind))


def _expected(kind: Any, choices: Sequence[str]) -> str:
    if choices:
        return f"one of {', '.join(f'`{one}`' for one in choices)}"
    if get_origin(kind) in _UNIONS:
        return " or ".join(_expected(one, ()) for one in get_args(kind))
    if kind in _PLAIN:
        return _PLAIN[kind][0]
    return "JSON" if kind in _ANY_JSON else f"a `{_type_name(kind)}`"


def _example(kind: Any) -> str:
    if get_origin(kind) in _UNIONS:
        return _example(get_args(kind)[0])
    if kind in _PLAIN:
        return _PLAIN[kind][1]
    origin = get_origin(kind) or kind
    if origin in _CONTAINERS:
        arguments = [one for one in get_args(kind) if one is not ...]
        texts = {str: '"a", "b"', float: "0.5, 1.5", bool: "true, false"}
        return f"'[{texts.get(arguments[0] if arguments else int, '1, 2')}]'"
    return "'{\"a\": 1}'" if _is_json(kind) else "VALUE"
