"""Descriptions of flows: read from a file, or from what the store keeps of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowkit.cli.configs import load_options
from flowkit.cli.targets import find_run, is_flow_file

if TYPE_CHECKING:
    from flowkit.cli.invocation import Invocation
    from flowkit.graph import FlowDescription


def read_description(
    invocation: Invocation, flow: str, given: Mapping[str, Any] | None = None
) -> FlowDescription:
    """Read the flow that `flow.py` or `flow.py:Class` names, in a process that then ends.

    `given` has the options `--config` and `--config-value` of the command, if it has them.

    Raises:
        NotFound: there is no such file.
        FlowInvalid: the flow has faults, or its file cannot be imported.
        UsageError: the file has several flows and none is named, or a config cannot be read.
    """
    from flowkit.executor import open_host
    from flowkit.runner import FlowSource

    source = FlowSource.parse(flow)
    options = load_options(invocation, given or {})
    host = open_host("local", source.file, source.name, choose=lambda _: options)
    try:
        return host.description
    finally:
        host.close()


def description_of(invocation: Invocation, target: str | None) -> FlowDescription:
    """Return the description of a flow file, of the script, or of the flow of a run."""
    if target is None and invocation.script is not None:
        return read_description(invocation, invocation.script.source)
    if target is not None and is_flow_file(target):
        return read_description(invocation, target)
    workspace = invocation.open_workspace()
    run = find_run(workspace, invocation.absolute(target or ""))
    return workspace.store.run_record(run.run).description
