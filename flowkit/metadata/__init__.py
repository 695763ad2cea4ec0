"""The metadata index: which runs, tasks and tags there are, for quick questions.

The store's records are the truth; this room only indexes them, so it can be thrown away and
rebuilt (`flowkit store reindex`). Writing is idempotent, in any order, from many processes.

* `index`: `Metadata`, the room's only door
* `recording`: records to rows
* `runs`, `tasks`: rows to answers
* `rows`: the answers' types
* `changes`: runs whose records are being changed
* `positions`: task keys as text that sorts
* `liveness`: whether a run without an end still runs
* `database`: one SQLite connection, its transactions and its errors
* `migrations`: the schema, version by version
"""

from flowkit.metadata.database import DamagedIndex, IndexHasNoRoom
from flowkit.metadata.index import Metadata
from flowkit.metadata.liveness import may_be_driven
from flowkit.metadata.rows import (
    AttemptRow,
    AttemptStatus,
    FlowRow,
    RunRow,
    Snapshot,
    StepRow,
    TaskRow,
)

__all__ = [
    "AttemptRow",
    "AttemptStatus",
    "DamagedIndex",
    "FlowRow",
    "IndexHasNoRoom",
    "Metadata",
    "RunRow",
    "Snapshot",
    "StepRow",
    "TaskRow",
    "may_be_driven",
]
