"""Opening a session: reading a flow, with the configs that it is to have."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from flowkit.client import Workspace, open_workspace, use_workspace
from flowkit.errors import UsageError
from flowkit.executor import Surroundings, open_host
from flowkit.runner.origin import find_origin
from flowkit.runner.session import FlowSession, address_of
from flowkit.runner.source import FlowSource
from flowkit.runner.stopping import StopSwitch
from flowkit.values import LoadOptions

if TYPE_CHECKING:
    from flowkit.settings import Settings


@dataclass(frozen=True, slots=True)
class Resumes:
    """That a session is opened to resume a run: the one named, or the user's latest one."""

    run_id: str | None = None


@contextmanager
def open_session(
    source: FlowSource,
    settings: Settings,
    *,
    workspace: Workspace | None = None,
    surroundings: Surroundings | None = None,
    stop: StopSwitch | None = None,
    load: LoadOptions | None = None,
    resumes: Resumes | None = None,
) -> Iterator[FlowSession]:
    """Read a flow, and keep what can run it until the block ends.

    Args:
        source: the flow.
        settings: how it is run, and where its runs are kept.
        workspace: the store and the index that the settings name, if they are open already.
        surroundings: what the flow's own processes find around them; that of this one by default.
        stop: asks the session's run to stop, from another thread.
        load: what the flow's configs are given.
        resumes: the session is for resuming this run: configs have the values they had there.

    Raises:
        FlowInvalid: the flow has faults, or its file cannot be imported.
        UsageError: the file has several flows and none is named, or a config cannot be read.
        Abandoned: `stop` was asked for while the flow was being read.
    """
    stop = stop or StopSwitch()
    address = address_of(settings)
    options = replace(load or LoadOptions(), user=settings.user, ds_type=address.kind)
    with ExitStack() as opened:

        def open_here() -> Workspace:
            nonlocal workspace
            if workspace is None:
                workspace = open_workspace(settings)
                opened.callback(workspace.close)
            return workspace

        def choose(flow: str) -> LoadOptions:
            is_new = workspace is None and not os.path.isfile(settings.metadata)
            if resumes is None or is_new:  # a flow that is refused leaves nothing behind
                return options
            kept = _kept_configs(open_here(), flow, resumes, user=settings.user)
            return options if kept is None else replace(options, kept=kept)

        host = open_host(
            settings.executor,
            source.file,
            source.name,
            environ=_environ(settings),
            surroundings=surroundings,
            is_abandoned=lambda: stop.is_unanswered,
            choose=choose,
        )
        opened.callback(host.close)
        workspace = open_here()
        if settings.executor == "inline":
            opened.enter_context(use_workspace(workspace))
        yield FlowSession(host, settings, workspace, stop)


def _kept_configs(
    workspace: Workspace, flow: str, resumes: Resumes, *, user: str
) -> Mapping[str, str | None] | None:
    """Return the configs of the run to be resumed; None if there is no such run.

    The flow's own faults are told first then; `resume` finds no run once more.
    """
    try:
        origin = find_origin(workspace, flow, resumes.run_id, user=user)
    except UsageError:
        return None
    return origin.description.config_values


def _environ(settings: Settings) -> dict[str, str]:
    """Have the client inside steps, and commands that steps start, look where this run is kept."""
    given = settings.secrets_provider
    provider = {"FLOWKIT_SECRETS_PROVIDER": given} if given is not None else {}
    return {
        **provider,
        "FLOWKIT_HOME": str(settings.home),
        "FLOWKIT_STORE": settings.store,
        "FLOWKIT_METADATA": settings.metadata,
        "FLOWKIT_USER": settings.user,
        "FLOWKIT_NAMESPACE": settings.namespace or "",
    }
