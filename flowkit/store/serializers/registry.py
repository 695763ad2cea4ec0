"""Which serializer is for which value, and which for which tag."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from flowkit.errors import PluginBroken, StoreError
from flowkit.ports import Serializer
from flowkit.store.plugins import load_plugin, load_plugins
from flowkit.store.serializers.pickles import PickleSerializer
from flowkit.store.serializers.plain import BytesSerializer, JsonSerializer

PLUGINS: Final = "flowkit.serializers"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "json": "flowkit.store.serializers.plain:JsonSerializer",
        "bytes": "flowkit.store.serializers.plain:BytesSerializer",
        "numpy": "flowkit.store.serializers.arrays:NumpySerializer",
        "arrow": "flowkit.store.serializers.arrow:ArrowSerializer",
        "frame": "flowkit.store.serializers.arrow:FrameSerializer",
        "pandas": "flowkit.store.serializers.frames:PandasSerializer",
        "pickle": "flowkit.store.serializers.pickles:PickleSerializer",
    }
)

_BY_LIBRARY: Final = {"numpy": "numpy", "pyarrow": "arrow", "pandas": "pandas"}
_BY_MODULE: Final = {"flowkit.table.data_frame": "frame"}
_JSON: Final = JsonSerializer()
_BYTES: Final = BytesSerializer()
_PICKLE: Final = PickleSerializer()


def find_serializer(value: object) -> Serializer:
    """Return the serializer for a value; pickle takes what no other does.

    Raises PluginBroken if plugins must be asked and one of them cannot be loaded.
    """
    if _JSON.accepts(value):
        return _JSON
    if _BYTES.accepts(value):
        return _BYTES
    module = type(value).__module__
    library = module.partition(".")[0]
    tag = _BY_LIBRARY.get(library) or _BY_MODULE.get(module)
    if tag is not None:
        serializer = get_serializer(tag)
        if serializer.accepts(value):
            return serializer
    # No plugin is asked for the standard library's types, so that most tasks look for none.
    if library not in sys.stdlib_module_names and library != "__main__":
        for serializer in _plugins():
            if serializer.accepts(value):
                return serializer
    return _PICKLE


@cache
def get_serializer(tag: str) -> Serializer:
    """Return the serializer of a tag.

    Raises:
        StoreError: nobody here knows the tag.
        PluginBroken: a plugin for it is installed, and cannot be loaded.
    """
    if tag in BUILT_IN:
        module, _, name = BUILT_IN[tag].partition(":")
        built_in: Serializer = getattr(import_module(module), name)()
        return built_in
    plugin = load_plugin(PLUGINS, tag, known=tuple(BUILT_IN))
    if plugin is None:
        raise StoreError(
            f"an artifact was saved with serializer `{tag}`, which is not installed here",
            hint=f"install the package that provides `{tag}` in `{PLUGINS}`",
        )
    return _instance(tag, plugin)


@cache
def _plugins() -> tuple[Serializer, ...]:
    plugins = load_plugins(PLUGINS, known=tuple(BUILT_IN))
    return tuple(_instance(tag, plugin) for tag, plugin in plugins.items())


def _instance(tag: str, plugin: object) -> Serializer:
    serializer: Any = plugin() if isinstance(plugin, type) else plugin
    if getattr(serializer, "tag", None) != tag:
        # What it saved could not be found again: a tag is looked up by the entry point's name.
        raise PluginBroken(name=tag, cause="its `tag` is not this name", known=tuple(BUILT_IN))
    found: Serializer = serializer
    return found
