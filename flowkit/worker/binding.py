"""Parameters from text to artifacts: the manifest that every task of a run reads them from."""

from __future__ import annotations

import os
from collections.abc import Mapping

from flowkit.errors import UsageError
from flowkit.flow import (
    ConfigValue,
    ParameterContext,
    bind_parameters,
    constants_of,
    convert_parameters,
)
from flowkit.store import Store
from flowkit.values import ArtifactEntry, Digest
from flowkit.worker.files import file_reader, print_line
from flowkit.worker.imports import project_imports
from flowkit.worker.loading import LoadedFlow


def bind(
    loaded: LoadedFlow,
    store: Store,
    given: Mapping[str, str | list[str]],
    *,
    user: str,
    ds_type: str = "local",
) -> Digest:
    """Convert a run's parameters, and keep them with the flow's constants and configs.

    Raises:
        UsageError: a value does not fit, is missing, or names no parameter.
    """
    values = bind_parameters(
        loaded.flow_class,
        given,
        context=ParameterContext(
            flow_name=loaded.description.name,
            user_name=user,
            logger=print_line,
            ds_type=ds_type,
            configs=ConfigValue({one.name: one.value for one in loaded.configs.values()}),
        ),
        environment=os.environ,
        read_file=file_reader(loaded.description.file),
    )
    writer = store.write_manifest(look=project_imports.behaviour)
    for name, value in {**_fixed(loaded), **values}.items():
        writer.add(name, value)
    return writer.commit()


def rebind(
    loaded: LoadedFlow, store: Store, parameters: Digest, given: Mapping[str, str | list[str]]
) -> Digest:
    """Keep an earlier run's parameters but those given, with constants and configs as read.

    A constant that still equals the earlier run's keeps its identity.

    Raises:
        UsageError: a value does not fit, or names no parameter; or a parameter is new.
    """
    changed = convert_parameters(
        loaded.flow_class, given, read_file=file_reader(loaded.description.file)
    )
    writer = store.write_manifest(look=project_imports.behaviour)
    earlier = store.manifest(parameters).artifacts
    for name, value in _fixed(loaded).items():
        entry, before = writer.add(name, value), earlier.get(name)
        if before is not None and before.digest != entry.digest and _equals(store, before, value):
            writer.inherit(name, before)
    for one in loaded.description.parameters:
        if one.attribute in changed:
            writer.add(one.attribute, changed[one.attribute])
            continue
        if one.attribute not in earlier:
            raise UsageError(
                f"the flow now has a parameter `{one.name}`, which the earlier run had not",
                hint=f"give it a value with `--set {one.name}=...`, or start a new run",
            )
        writer.inherit(one.attribute, earlier[one.attribute])
    return writer.commit()


def _fixed(loaded: LoadedFlow) -> dict[str, object]:
    """Return the values that no run is given: constants and configs by attribute."""
    configs = {one.attribute: one.value for one in loaded.configs.values()}
    return {**constants_of(loaded.flow_class), **configs}


def _equals(store: Store, entry: ArtifactEntry, value: object) -> bool:
    """Say whether a value is what an entry holds, though not byte for byte.

    The pickle of a set, for one, is another in every process.
    """
    try:
        return bool(store.load(entry) == value)
    except Exception:  # loading and comparing run code of the user's
        return False
