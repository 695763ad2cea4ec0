"""Late values: what stands in a class for a value that only configs tell, once they are read.

A decorator keeps what it was given, and a parameter its default. When the flow is read, `evaluate`
puts values in the place of late ones.
"""

from __future__ import annotations

import ast
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NoReturn, TypeVar

from flowkit.errors import FlowInvalid, FlowkitError

Configs = Mapping[str, Any]
"""The values of a flow's configs, by name and by attribute."""

NO_CONFIGS: Final[Configs] = {}

Value = TypeVar("Value")

_UNPACKED: Final = "** "
"""How the one key begins that a late value has for `**`: its keys are not known yet."""


class OnDemand(Mapping[str, Any]):
    """Configs that are read when an expression asks for them; `read_so_far` needs no reading."""

    @property
    @abstractmethod
    def read_so_far(self) -> Configs:
        """Those that have been read."""


class LateFailed(FlowInvalid):
    """A late value could not be computed. `file` and `line` are where it is written."""

    def __init__(self, late: Late, cause: str, *, hint: str) -> None:
        super().__init__(f"`{late.text}` cannot be computed: {cause}", hint=hint)
        self.file, self.line = late.file, late.line


@dataclass(frozen=True, slots=True)
class Late:
    """How a late value is written, where, and how it is computed."""

    text: str
    file: str
    line: int
    compute: Callable[[Configs], Any]


class LateValue:
    """Stands for a value that configs tell. Attributes and items of it are late, too."""

    __slots__ = ("__flowkit_late__",)
    __flowkit_late__: Late

    def __init__(self, late: Late) -> None:
        self.__flowkit_late__ = late

    def __getattr__(self, name: str) -> LateValue:
        if name.startswith("_"):  # asked for by Python and by tools, and no key of a config
            raise AttributeError(name)
        return self.__flowkit_further__(f".{name}", lambda value: _attribute(value, name))

    def __getitem__(self, key: Any) -> LateValue:
        if isinstance(key, str) and key.startswith(_UNPACKED):
            return self
        return self.__flowkit_further__(f"[{key!r}]", lambda value: value[key])

    def keys(self) -> list[str]:
        """Return the one key by which `**` carries a late value into a decorator."""
        return [f"{_UNPACKED}{self}"]

    def __flowkit_further__(self, text: str, step: Callable[[Any], Any]) -> LateValue:
        before, caller = self.__flowkit_late__, sys._getframe(2)
        return LateValue(
            Late(
                f"{self}{text}",
                caller.f_code.co_filename,
                caller.f_lineno,
                lambda configs: step(before.compute(configs)),
            )
        )

    def __str__(self) -> str:
        return self.__flowkit_late__.text

    def __repr__(self) -> str:
        return f"<late value `{self}`>"

    def __flowkit_refuse__(self, *_: object) -> NoReturn:
        raise FlowInvalid(
            f"the value of `{self}` is not known yet, where the class is defined",
            hint=f'write all of it as an expression, such as `config_expr("{self} == 1")`',
        )

    __hash__ = object.__hash__
    __bool__ = __len__ = __iter__ = __contains__ = __flowkit_refuse__
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __flowkit_refuse__
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __flowkit_refuse__
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __flowkit_refuse__
    __or__ = __ror__ = __and__ = __rand__ = __pow__ = __rpow__ = __neg__ = __flowkit_refuse__


def config_expr(expression: str) -> Any:
    """Stand for what a Python expression over configs will come to, once they are read.

    For decorators, for defaults of parameters and of other configs, and above a class, where its
    configs are not in sight: `@project(name=config_expr("config.project"))`. In the expression
    are configs, by attribute or by name, and the names of the module.
    """
    caller = sys._getframe(1)
    scope = caller.f_globals
    return LateValue(
        Late(
            expression,
            caller.f_code.co_filename,
            caller.f_lineno,
            lambda configs: _evaluated(expression, scope, configs),
        )
    )


def is_late(value: object) -> bool:
    """Say whether a value is late, or holds one that is."""
    if isinstance(value, LateValue):
        return True
    if isinstance(value, dict):
        return any(map(is_late, value.values()))
    return isinstance(value, list | tuple) and any(map(is_late, value))


def evaluate(value: Value, configs: Configs) -> Value:
    """Return a value with all late ones in it computed. Raises LateFailed."""
    if not is_late(value):
        return value
    found: Any = value
    if isinstance(found, dict):
        return _members(found, configs)  # type: ignore[return-value]
    if isinstance(found, LateValue):
        return _computed(found, configs)  # type: ignore[no-any-return]
    return type(found)(evaluate(one, configs) for one in found)  # type: ignore[no-any-return]


def _members(value: dict[Any, Any], configs: Configs) -> dict[Any, Any]:
    members: dict[Any, Any] = {}
    for key, one in value.items():
        more = evaluate(one, configs)
        if not (isinstance(key, str) and key.startswith(_UNPACKED)):
            more = {key: more}
        elif not isinstance(more, Mapping):
            raise LateFailed(
                one.__flowkit_late__,
                f"`**` takes a dict, not a `{type(more).__name__}`",
                hint="change the config, or leave the `**` away",
            )
        if twice := sorted(map(str, members.keys() & more.keys())):
            raise LateFailed(
                one.__flowkit_late__,
                f"`{twice[0]}` is given twice",
                hint="leave it away in one of the two places",
            )
        members |= more
    return members


def _computed(value: LateValue, configs: Configs) -> Any:
    late = value.__flowkit_late__
    try:
        return late.compute(configs)
    except FlowkitError:  # of another config, which is read for this one
        raise
    except Exception as error:  # the author's expression: anything can come out of it
        raise _failed(late, error, configs) from error


def _evaluated(expression: str, scope: Mapping[str, Any], configs: Configs) -> Any:
    tree = ast.parse(expression.strip(), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    # One scope for both: a comprehension sees nothing else.
    known = {**scope, **{name: configs[name] for name in names if name in configs}}
    return eval(compile(tree, "<config_expr>", "eval"), known)


def _attribute(value: Any, name: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    return getattr(value, name)


def _failed(late: Late, error: Exception, configs: Configs) -> LateFailed:
    cause = f"{type(error).__name__}: {error}"
    hint = "change the expression, or give a config that has what it needs"
    # Only of those that have been read: another might wait for the one that is being read.
    read = configs.read_so_far if isinstance(configs, OnDemand) else configs
    empty = next((name for name, value in read.items() if value is None), None)
    if isinstance(error, KeyError) and error.args:
        cause = f"there is no key `{error.args[0]}`"
    elif isinstance(error, NameError) and error.name is not None:
        near = get_close_matches(error.name, configs, n=1)
        known = ", ".join(f"`{one}`" for one in configs) or "none"
        hint = f"did you mean `{near[0]}`?" if near else f"the flow's configs are {known}"
    elif "NoneType" in str(error) and empty is not None:
        cause = f"config `{empty}` has no value"
        hint = f"give it one: `--config {empty} FILE`"
    return LateFailed(late, cause, hint=hint)
