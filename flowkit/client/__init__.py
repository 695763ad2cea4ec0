"""Looking at runs: lazy, read-only views over the index and the store.

`Flow`, `Run`, `Step`, `Task` and `Artifact` ask for a thing when it is asked of them: making a run
is one query, listing a step's tasks one query a thousand, reading an artifact loads that one.

* `flows`, `run`, `step`, `task`, `artifact`: the views; `views`: what they share
* `values`: artifacts as attributes, `task.data.x`
* `kinship`: which tasks a task follows, and which follow it
* `own_attempt`: the attempt that asks, before the index knows of it
* `facts`: what is known of an attempt, by name
* `namespaces`: whose runs one sees; `places`: where the runs are that one sees
* `spins`: steps that were run by themselves, apart from runs
* `retention`: which runs may go, and deleting one
* `tags`: which tags are allowed, and changing them
* `task_logs`: which log is a task's; an attempt's log, stored or still growing
* `workspace`: where runs are: a store, its index and the settings
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.client.artifact import Artifact, DataArtifact
    from flowkit.client.explanation import Change, Explanation, explain
    from flowkit.client.facts import Metadatum
    from flowkit.client.flows import Flow, Metaflow
    from flowkit.client.namespaces import (
        MetaflowNamespaceMismatch,
        MetaflowNotFound,
        NamespaceMismatch,
        default_namespace,
        get_namespace,
        namespace,
    )
    from flowkit.client.places import default_metadata, get_metadata, inspect_spin, metadata
    from flowkit.client.retention import Retention, delete_run, expired_runs
    from flowkit.client.run import Run
    from flowkit.client.spins import spin_settings, workspace_of
    from flowkit.client.step import Step
    from flowkit.client.tags import check_tags
    from flowkit.client.task import Task
    from flowkit.client.task_logs import (
        KnownLogs,
        live_folder,
        live_log,
        printing_attempt,
        read_log,
    )
    from flowkit.client.values import ArtifactMissing
    from flowkit.client.views import missing_flow, missing_run
    from flowkit.client.workspace import (
        Workspace,
        current_workspace,
        open_workspace,
        use_workspace,
    )
    from flowkit.errors import NotFound

__all__ = [
    "Artifact",
    "ArtifactMissing",
    "Change",
    "DataArtifact",
    "Explanation",
    "Flow",
    "KnownLogs",
    "Metadatum",
    "Metaflow",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "NamespaceMismatch",
    "NotFound",
    "Retention",
    "Run",
    "Step",
    "Task",
    "Workspace",
    "check_tags",
    "current_workspace",
    "default_metadata",
    "default_namespace",
    "delete_run",
    "expired_runs",
    "explain",
    "get_metadata",
    "get_namespace",
    "inspect_spin",
    "live_folder",
    "live_log",
    "metadata",
    "missing_flow",
    "missing_run",
    "namespace",
    "open_workspace",
    "printing_attempt",
    "read_log",
    "spin_settings",
    "use_workspace",
    "workspace_of",
]

__getattr__ = loads(
    "flowkit.client",
    {
        "flowkit.client.artifact": "Artifact DataArtifact",
        "flowkit.client.explanation": "Change Explanation explain",
        "flowkit.client.facts": "Metadatum",
        "flowkit.client.flows": "Flow Metaflow",
        "flowkit.client.namespaces": (
            "MetaflowNamespaceMismatch MetaflowNotFound NamespaceMismatch default_namespace "
            "get_namespace namespace"
        ),
        "flowkit.client.places": "default_metadata get_metadata inspect_spin metadata",
        "flowkit.client.retention": "Retention delete_run expired_runs",
        "flowkit.client.run": "Run",
        "flowkit.client.spins": "spin_settings workspace_of",
        "flowkit.client.step": "Step",
        "flowkit.client.tags": "check_tags",
        "flowkit.client.task": "Task",
        "flowkit.client.task_logs": "KnownLogs live_folder live_log printing_attempt read_log",
        "flowkit.client.values": "ArtifactMissing",
        "flowkit.client.views": "missing_flow missing_run",
        "flowkit.client.workspace": "Workspace current_workspace open_workspace use_workspace",
        "flowkit.errors": "NotFound",
    },
)
