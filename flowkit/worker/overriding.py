"""Artifacts of a module of the user's, put over those that a task would find."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from flowkit import wire
from flowkit.errors import FlowkitError, NotFound, UsageError
from flowkit.store import Store
from flowkit.values import Digest, Digests, Failure, StoreAddress
from flowkit.worker.failure import failure_of
from flowkit.worker.imports import ExactLoader, project_imports

NAME: Final = "ARTIFACTS"
_MODULE: Final = "flowkit_artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a task would find, and the module that overrides some of it.

    `names` are the tasks that the inputs are from, as `step/task`, if there are several inputs.
    """

    module: str
    flow_file: str
    store: StoreAddress
    parameters: Digest
    inputs: Digests
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """The manifests that the task finds instead; or why there are none."""

    parameters: Digest
    inputs: Digests
    failure: Failure | None = None


def override(request: Override) -> Overridden:
    """Have a module's artifacts put over others, in a process of its own.

    Raises:
        NotFound: there is no such file.
        UsageError: it raises, or what it names does not fit.
    """
    if not os.path.isfile(request.module):
        raise NotFound(
            f"there is no file `{request.module}`",
            hint=f"name a Python file that sets `{NAME} = {{'name': value}}`",
        )
    entry = os.path.join(os.path.dirname(__file__), "__main__.py")
    done = subprocess.run(
        [sys.executable, "-P", entry, "override"],
        input=wire.encode(request),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise UsageError(
            f"`{request.module}` ended its process",
            hint=f"`python {request.module}` should show the same",
        )
    answer = wire.decode(Overridden, done.stdout, name="answer about artifacts")
    if answer.failure is not None:
        raise UsageError(answer.failure.message, hint=answer.failure.hint)
    return answer


def serve_override() -> int:
    """Override as stdin asks, and answer on stdout. Returns an exit code."""
    request = wire.decode(Override, sys.stdin.buffer.read(), name="override")
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the module prints is for people
    try:
        answer = _overridden(request)
    except Exception as error:  # the module is code of the user's, and so is what it makes
        failure = failure_of(error)
        if not isinstance(error, FlowkitError):
            at = f" at {failure.where}" if failure.where else ""
            message = f"`{request.module}` raised {failure.type_name}: {failure.message}{at}"
            failure = replace(failure, message=message, hint="mend the module")
        answer = Overridden(parameters=request.parameters, inputs=request.inputs, failure=failure)
    with os.fdopen(answers, "wb") as file:
        file.write(wire.encode(answer))
    return 0


def _overridden(request: Override) -> Overridden:
    address = request.store
    store = Store.open(address.url, sync=address.sync, verify=address.verify)
    given = _artifacts(request)
    fixed = store.manifest(request.parameters).artifacts
    everywhere = {name: one for name, one in given.items() if "/" not in name}
    by_input: dict[str, Mapping[str, Any]] = {}
    for name, one in given.items():
        if "/" in name:
            by_input[_known_input(request, name)] = one
    parameters = {name: one for name, one in everywhere.items() if name in fixed}
    artifacts = {name: one for name, one in everywhere.items() if name not in fixed}
    names = request.names or ("",) * len(request.inputs)
    inputs = [
        _over(store, digest, {**artifacts, **by_input.get(name, {})})
        for name, digest in zip(names, request.inputs, strict=True)
    ]
    return Overridden(
        parameters=_over(store, request.parameters, parameters), inputs=Digests(inputs)
    )


def _known_input(request: Override, name: str) -> str:
    """Return the input that a pathspec names, which may begin with flow and run."""
    wanted = "/".join(name.strip("/").split("/")[-2:])
    if wanted not in request.names:
        known = ", ".join(f"`{one}`" for one in request.names[:8])
        raise UsageError(
            f"`{NAME}` of `{request.module}` names `{name}`, which is no input of the task",
            hint=f"its inputs are {known}" if known else "name artifacts alone",
        )
    return wanted


def _artifacts(request: Override) -> dict[str, Any]:
    """Import the module, beside the flow, and return what it sets."""
    for folder in (os.path.dirname(request.flow_file), os.path.dirname(request.module)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
        project_imports.enter(folder)
    loader = ExactLoader(_MODULE, request.module)
    found = importlib.util.spec_from_file_location(_MODULE, request.module, loader=loader)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    given = getattr(module, NAME, None)
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given):
        raise UsageError(
            f"`{request.module}` sets no dict `{NAME}` of artifacts by name",
            hint=f"write `{NAME} = {{'alpha': 0.5}}`",
        )
    return dict(given)


def _over(store: Store, manifest: Digest, values: Mapping[str, Any]) -> Digest:
    """Keep a manifest with some of its artifacts replaced, or added to it."""
    if not values:
        return manifest
    before = store.manifest(manifest)
    writer = store.write_manifest(base=before, look=project_imports.behaviour)
    for name, entry in before.artifacts.items():
        if name not in values:
            writer.inherit(name, entry)
    for name, value in values.items():
        writer.add(name, value)
    return writer.commit()
