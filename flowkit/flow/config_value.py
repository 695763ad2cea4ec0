"""What a config holds: values that cannot change, and the JSON that carries them about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Any, Final, NoReturn, TypeAlias

Plain: TypeAlias = Any
"""What JSON can hold, and dates and times besides."""

_TIMES: Final[dict[str, type[datetime] | type[date] | type[time]]] = {
    # A datetime is a date: it comes first.
    "$datetime": datetime,
    "$date": date,
    "$time": time,
}
_ESCAPED: Final = "$"


class ConfigValue(dict[str, Any]):
    """A config, or a part of one: a dict that cannot be changed, whose keys are attributes too.

    `to_dict` makes a copy that can be changed.

    >>> config = ConfigValue({"model": {"depth": 3, "names": ["a"]}})
    >>> config.model.depth, config["model"]["names"][0], "depth" in config.model
    (3, 'a', True)
    >>> dict(**config.model)
    {'depth': 3, 'names': ['a']}
    """

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__({key: frozen(value) for key, value in dict(values).items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            # Without an object, Python suggests no name of its own besides.
            raise AttributeError(_missing(name, self), name=name) from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"`{name}` cannot be set: a config cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"`{name}` cannot be deleted: a config cannot be changed")

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a config cannot be changed; `to_dict()` makes a copy that can")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ConfigValue], tuple[dict[str, Any]]]:
        return ConfigValue, (dict(self),)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of dicts and lists, which can be changed."""
        return {key: thawed(value) for key, value in self.items()}


class ConfigList(list[Any]):
    """A list in a config, which cannot be changed."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__(frozen(value) for value in values)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a list in a config cannot be changed; `list(...)` makes a copy that can")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type[ConfigList], tuple[list[Any]]]:
        return ConfigList, (list(self),)


def frozen(value: Any) -> Any:
    """Return a value with its dicts and lists made unchangeable; others are left as they are."""
    if isinstance(value, Mapping) and not isinstance(value, ConfigValue):
        return ConfigValue(value)
    if isinstance(value, list) and not isinstance(value, ConfigList):
        return ConfigList(value)
    return value


def thawed(value: Any) -> Any:
    """Return a value with plain dicts and lists, which can be changed."""
    if isinstance(value, ConfigValue):
        return value.to_dict()
    return [thawed(one) for one in value] if isinstance(value, list) else value


def config_json(value: object) -> str:
    """Write what a config holds as JSON. Raises ValueError for what JSON has no place for."""
    import json

    return json.dumps(_writable(value, ""))


def read_config_json(text: str) -> Plain:
    """Read what `config_json` wrote: the same value, but for tuples, which are lists now."""
    import json

    return _read(json.loads(text))


def _writable(value: object, path: str) -> Plain:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for tag, kind in _TIMES.items():
        if isinstance(value, kind):
            return {tag: value.isoformat()}
    if callable(dump := getattr(type(value), "model_dump", None)):
        return _writable(dump(value), path)
    if is_dataclass(value) and not isinstance(value, type):
        fields = type(value).__dataclass_fields__
        return {name: _writable(getattr(value, name), f"{path}.{name}") for name in fields}
    if isinstance(value, list | tuple):
        return [_writable(one, f"{path}[{at}]") for at, one in enumerate(value)]
    if not isinstance(value, Mapping):
        where = f" at `{path.lstrip('.')}`" if path else ""
        raise ValueError(f"a `{type(value).__name__}`{where}, which a config cannot hold")
    written: dict[str, Any] = {}
    for key, one in value.items():
        if not isinstance(key, str | int | float):
            raise ValueError(f"a key `{key!r}`, which is no text")
        written[str(key)] = _writable(one, f"{path}.{key}")
    is_like_ours = len(written) == 1 and next(iter(written)).startswith(_ESCAPED)
    return {_ESCAPED: written} if is_like_ours else written


def _read(value: Any) -> Plain:
    if isinstance(value, list):
        return [_read(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, one),) = value.items()
        if key in _TIMES:
            return _TIMES[key].fromisoformat(one)
        if key == _ESCAPED:
            value = one
    return {key: _read(one) for key, one in value.items()}


def _missing(name: str, value: Mapping[str, object]) -> str:
    near = get_close_matches(name, value, n=1)
    return f"the config has no key `{name}`" + (f"; did you mean `{near[0]}`?" if near else "")
