"""What flowkit has for a name of Metaflow's; flowkit itself is asked, so no list can go stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType

SOURCE = "metaflow"
TARGET = "flowkit"

_OTHER_MEANINGS = frozenset({("metaflow.cards", "Table")})
"""Names that both have for different things: in `flowkit`, a `Table` is one of Iceberg."""

_RENAMED: Mapping[str, str] = MappingProxyType(
    {
        "DATATOOLS_S3ROOT": "S3_ROOT",
        "DEFAULT_SECRETS_BACKEND_TYPE": "SECRETS_PROVIDER",
        "S3_ENDPOINT_URL": "S3_ENDPOINT",
        "S3_RETRY_COUNT": "S3_RETRIES",
        "S3_WORKER_COUNT": "S3_WORKERS",
    }
)
_OTHER_VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "HOME": "names the folder of Metaflow's configuration; "
        "flowkit's is `flowkit.toml`, and `FLOWKIT_HOME` is where it keeps runs",
        "DATASTORE_SYSROOT_LOCAL": "names the folder that `.metaflow` is in; "
        "`FLOWKIT_HOME` names the folder of runs itself",
    }
)
"""Variables that have a counterpart with another meaning."""
_OF_FLOWS = ("FLOW_CONFIG", "FLOW_CONFIG_VALUE")
"""Variables of flows that are neither a setting nor an option of a command."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Names that flowkit has: for `from flowkit import NAME`, and in its environment.

    `settings` and `commands` are in capitals: `FLOWKIT_<setting>`, `FLOWKIT_<command>_<option>`.
    """

    names: frozenset[str]
    settings: frozenset[str]
    commands: frozenset[str]
    unbacked: frozenset[str] = frozenset()
    """Decorators that can be read and not be run."""

    def has(self, name: str) -> bool:
        """Say whether `flowkit.<name>` is there."""
        return name in self.names or module_exists(f"{TARGET}.{name}")

    def place_of(self, module: str, name: str) -> str | None:
        """Return the module of flowkit that has what `module` of Metaflow calls `name`, if any.

        That is `flowkit` itself wherever it can be.
        """
        own = counterpart(module)
        if own not in (None, TARGET) and name in _public_names(own):
            same = name in self.names and _value(own, name) is _value(TARGET, name)
            return TARGET if same else own
        if name in self.names and (module, name) not in _OTHER_MEANINGS:
            return TARGET
        return TARGET if module == SOURCE and self.has(name) else None

    def variable(self, name: str) -> str | None:
        """Return what flowkit calls the variable `METAFLOW_<name>`, if it reads such a one."""
        if name in _OTHER_VARIABLES:
            return None
        name = _RENAMED.get(name, name)
        command, _, option = name.partition("_")
        known = name in self.settings or name in _OF_FLOWS or (command in self.commands and option)
        return f"FLOWKIT_{name}" if known else None

    def variable_remark(self, name: str) -> str:
        """Say why a variable is left alone, and what there is in its place."""
        if meaning := _OTHER_VARIABLES.get(name):
            return f"`METAFLOW_{name}` {meaning}"
        return f"`METAFLOW_{name}` has no counterpart: `flowkit settings` lists what there is"

    def differs(self, name: str) -> bool:
        """Say whether a variable is left alone for its meaning, not for want of a counterpart."""
        return name in _OTHER_VARIABLES


def ask_flowkit(commands: Iterable[str]) -> Offers:
    """Ask the flowkit that runs this; `commands` are the first words of its command line."""
    import flowkit
    from flowkit.flow import BACKENDS
    from flowkit.settings import SETTINGS

    return Offers(
        names=frozenset({*flowkit.__all__, "__version__"}),
        settings=frozenset(name.upper() for name in SETTINGS),
        commands=frozenset(name.upper() for name in commands),
        unbacked=BACKENDS,
    )


def counterpart(module: str) -> str | None:
    """Return flowkit's module of the same name as one of Metaflow's, if there is one."""
    own = TARGET + module.removeprefix(SOURCE)
    return own if module_exists(own) else None


@cache
def module_exists(name: str) -> bool:
    """Say whether there is a module to import by this name."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        # A module above it is none, or no package.
        return False


def _public_names(module: str | None) -> frozenset[str]:
    return frozenset(getattr(import_module(module), "__all__", ())) if module else frozenset()


def _value(module: str | None, name: str) -> object:
    return getattr(import_module(module), name, None) if module else None
