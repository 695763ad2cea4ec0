"""Parameters from text to artifacts: the manifest that every task of a run reads them from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from flowkit.errors import UsageError
from flowkit.flow import ParameterContext, bind_parameters, constants_of, convert_parameters
from flowkit.store import Store
from flowkit.values import ArtifactEntry, Digest
from flowkit.worker.loading import LoadedFlow


def bind(
    loaded: LoadedFlow, store: Store, given: Mapping[str, str | list[str]], *, user: str
) -> Digest:
    """Convert a run's parameters, and keep them with the flow's constants in a manifest.

    Raises:
        UsageError: a value does not fit, is missing, or names no parameter.
    """
    values = bind_parameters(
        loaded.flow_class,
        given,
        context=ParameterContext(flow_name=loaded.description.name, user_name=user),
        environment=os.environ,
        read_file=_reader(loaded.description.file),
    )
    writer = store.write_manifest()
    for name, value in {**constants_of(loaded.flow_class), **values}.items():
        writer.add(name, value)
    return writer.commit()


def rebind(
    loaded: LoadedFlow, store: Store, parameters: Digest, given: Mapping[str, str | list[str]]
) -> Digest:
    """Keep an earlier run's parameters but those given, with the constants of the flow as it is.

    A constant that still equals the earlier run's keeps its identity.

    Raises:
        UsageError: a value does not fit, or names no parameter; or a parameter is new.
    """
    changed = convert_parameters(
        loaded.flow_class, given, read_file=_reader(loaded.description.file)
    )
    writer = store.write_manifest()
    earlier = store.manifest(parameters).artifacts
    for name, value in constants_of(loaded.flow_class).items():
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


def _equals(store: Store, entry: ArtifactEntry, value: object) -> bool:
    """Say whether a value is what an entry holds, though not byte for byte.

    The pickle of a set, for one, is another in every process.
    """
    try:
        return bool(store.load(entry) == value)
    except Exception:  # loading and comparing run code of the user's
        return False


def _reader(flow_file: str) -> Callable[[str], bytes]:
    """Read included files: relative paths are the caller's, or else the flow file's."""

    def read(path: str) -> bytes:
        path = os.path.expanduser(path)
        beside = os.path.join(os.path.dirname(flow_file), path)
        with open(path if os.path.exists(path) else beside, "rb") as file:
            return file.read()

    return read
