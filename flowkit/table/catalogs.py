"""From settings to a pyiceberg catalog: the embedded one by default, others by name.

`[catalogs.NAME]` in `flowkit.toml` holds pyiceberg's own properties for a catalog; pyiceberg's
environment (`PYICEBERG_CATALOG__NAME__TOKEN`) and its own file add to them, so that secrets need
not stand in a project's file.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flowkit.settings import Settings, read_settings
from flowkit.table.errors import CatalogError, CatalogInvalid, UnknownCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

EMBEDDED: Final = "local"
"""The catalog that is always there: a SQLite file and a folder in flowkit's home."""

_FOREIGN: Final = {
    "requests": "requests.exceptions:RequestException",
    "sqlalchemy": "sqlalchemy.exc:SQLAlchemyError",
    "thrift": "thrift.Thrift:TException",
    "botocore": "botocore.exceptions:BotoCoreError",
    "pyiceberg": "pyiceberg.exceptions:RESTError",
}
"""What the clients of catalogs raise when they are not answered, if they are loaded."""

_REFUSALS: Final = (
    "OAuthError",
    "UnauthorizedError",
    "ForbiddenError",
    "AuthorizationExpiredError",
)
"""Which of these say that it answers, but not to these credentials."""

_DRIVERS: Final = {"psycopg2": "flowkit[postgres]", "psycopg": "psycopg[binary]"}
"""Packages of modules that are not called like them."""

_BAD_ADDRESSES: Final = ("ArgumentError", "NoSuchModuleError")
"""Which say that the address of a database is none."""

_lock = threading.Lock()
_opened: dict[tuple[int, str, tuple[tuple[str, str], ...]], Catalog] = {}


def open_catalog(name: str | None = None, *, settings: Settings | None = None) -> Catalog:
    """Open a catalog by name, by default the one that the settings name.

    A process opens each catalog once; forked children open their own.

    Raises:
        UnknownCatalog: nothing is set up under that name.
        CatalogInvalid: its properties are incomplete, or its client is not installed.
        CatalogError: it cannot be reached.
    """
    if settings is None:
        settings = read_settings(Path.cwd(), {}).settings
    name = name or settings.catalog
    properties = _properties(name, settings)
    # A connection to a database does not survive a fork.
    key = (os.getpid(), name, tuple(sorted(properties.items())))
    with _lock:
        if key not in _opened:
            _opened[key] = _load(name, properties)
        return _opened[key]


def list_tables(catalog: Catalog) -> list[str]:
    """Return the full names of all tables of a catalog, sorted. Raises CatalogError."""
    with answering(catalog):
        found: list[str] = []
        namespaces = list(catalog.list_namespaces())
        while namespaces:
            namespace = namespaces.pop()
            found += [".".join((*namespace, one)) for one in _names_in(catalog, namespace)]
            below = catalog.list_namespaces(namespace)
            namespaces += [one for one in below if len(one) > len(namespace)]
    return sorted(found)


def _names_in(catalog: Any, namespace: tuple[str, ...]) -> list[str]:
    if type(catalog).__name__ == "HiveCatalog":
        # Pyiceberg lists Iceberg's tables only.
        with catalog._client as client:
            return list(client.get_all_tables(db_name=".".join(namespace)))
    return [name[-1] for name in catalog.list_tables(namespace)]


@contextmanager
def answering(catalog: Catalog) -> Iterator[None]:
    """Turn what a catalog's client raises when it gets no answer into a `CatalogError`."""
    with _answering(catalog.name, catalog.properties):
        yield


@contextmanager
def _answering(name: str, properties: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except _foreign_errors() as error:
        where = properties.get("uri", "")
        refused = type(error).__name__ in _REFUSALS
        raise CatalogError(
            f"catalog `{name}`{f' at `{where}`' if where else ''} "
            f"{'refuses this' if refused else 'does not answer'}: "
            f"{' '.join(str(error).split())[:300] or type(error).__name__}",
            hint=f"are the credentials in `[catalogs.{name}]` right, and do they allow it?"
            if refused
            else "is it running, and is its address right?",
        ) from error


def _foreign_errors() -> tuple[type[BaseException], ...]:
    # Looked up as an error passes, so that no client is imported to name what it might raise.
    found: list[type[BaseException]] = [ConnectionError]
    for library, place in _FOREIGN.items():
        module, _, attribute = place.partition(":")
        if library in sys.modules and module in sys.modules:
            found.append(getattr(sys.modules[module], attribute))
    return tuple(found)


def _properties(name: str, settings: Settings) -> dict[str, str]:
    from pyiceberg.utils.config import Config

    known: dict[str, Any] = {
        **(Config().get_catalog_config(name) or {}),
        **settings.catalogs.get(name, {}),
    }
    if known:
        # What is said for the catalog counts before what holds for all of S3.
        return {**_s3_server(settings, known), **known}
    if name == EMBEDDED:
        return _embedded(settings.home)
    raise UnknownCatalog(name, known=[EMBEDDED, *settings.catalogs])


def _s3_server(settings: Settings, known: Mapping[str, Any]) -> dict[str, str]:
    """Return the S3 server that `flowkit.S3` uses as properties, if it is not Amazon.

    pyiceberg asks Amazon where no property says otherwise. Keys it finds as others do.
    """
    from flowkit.s3 import find_server

    if "s3.endpoint" in known:
        return {}
    found = find_server(settings.s3_endpoint)
    if "endpoint" not in found:
        return {}
    # Without a region it would ask Amazon for that of the bucket.
    region = known.get("s3.region") or found.get("region", "us-east-1")
    return {"s3.endpoint": found["endpoint"], "s3.region": str(region)}


def _embedded(home: Path) -> dict[str, str]:
    return {
        "type": "sql",
        # Many tasks may commit at a time: wait for one another, do not fail.
        "uri": f"sqlite:///{home / 'catalog.db'}?timeout=60",
        "warehouse": f"file://{home / 'warehouse'}",
    }


def _load(name: str, properties: Mapping[str, str]) -> Catalog:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchPropertyException, NotInstalledError

    try:
        with _answering(name, properties), _one_at_a_time(properties):
            return load_catalog(name, **properties)
    except NotInstalledError as error:
        missing = getattr(error.__cause__, "name", None)
        reason = f"`{missing}` is not installed" if missing else str(error).partition(":")[0]
        raise CatalogInvalid(name, reason=reason, hint=_extra(properties, missing)) from error
    except (NoSuchPropertyException, ValueError) as error:
        reason = "it has no `uri`" if "URI missing" in str(error) else str(error)
        raise CatalogInvalid(name, reason=reason, hint=_correct(name)) from error
    except CatalogError as error:
        if type(error.__cause__).__name__ not in _BAD_ADDRESSES:
            raise
        reason = f"its `uri` names no database: {error.__cause__}"
        raise CatalogInvalid(name, reason=reason, hint=_correct(name)) from error


def _correct(name: str) -> str:
    return f"correct `[catalogs.{name}]` in `flowkit.toml`"


def _extra(properties: Mapping[str, str], missing: str | None) -> str:
    kind = properties.get("type", "").lower()
    if not kind and properties.get("uri", "").startswith("thrift"):
        kind = "hive"
    if kind in ("hive", "glue"):
        package = f"flowkit[{kind}]"
    else:
        package = _DRIVERS.get(missing or "", missing or f"pyiceberg[{kind}]")
    return f"install its client: `pip install '{package}'`"


@contextmanager
def _one_at_a_time(properties: Mapping[str, str]) -> Iterator[None]:
    """Let one process make the database of a SQLite catalog, where many may find it missing."""
    uri = properties.get("uri", "")
    if not uri.startswith("sqlite:////"):
        yield
        return
    path = Path(uri.removeprefix("sqlite:///").partition("?")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
