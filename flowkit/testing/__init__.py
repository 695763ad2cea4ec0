"""What flowkit and flows are tested with, shipped: for users' tests, plugins' and our own.

`run_step`: one step of a flow, run in this process; `steps`: the step and what it came to,
`step_inputs`: what it finds.

`memory_storage`, `counting_storage`: storages. `s3_server`: a real S3 server; `faulty_proxy`: what
bad networks do, before it. `catalog_server`: a real REST catalog of Iceberg tables;
`hive_metastore`: the protocol of a Hive metastore. `storage_contract`, `serializer_contract`,
`executor_contract`, `secrets_contract`: suites that every implementation of a port passes; import
these modules where pytest is at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.testing.catalog_server import CatalogServer, open_catalog_server
    from flowkit.testing.counting_storage import CountingStorage
    from flowkit.testing.faulty_proxy import (
        Fault,
        FaultyProxy,
        Hold,
        Refuse,
        Reset,
        ResetUpload,
        SeenRequest,
        ShortLength,
        SlowUpload,
        Stall,
        Trickle,
        Truncate,
        open_faulty_proxy,
    )
    from flowkit.testing.hive_metastore import HiveMetastore, open_hive_metastore
    from flowkit.testing.memory_storage import MemoryStorage
    from flowkit.testing.s3_server import S3Server, environment_for, open_s3_server
    from flowkit.testing.steps import StepArtifacts, StepRun, run_step

__all__ = [
    "CatalogServer",
    "CountingStorage",
    "Fault",
    "FaultyProxy",
    "HiveMetastore",
    "Hold",
    "MemoryStorage",
    "Refuse",
    "Reset",
    "ResetUpload",
    "S3Server",
    "SeenRequest",
    "ShortLength",
    "SlowUpload",
    "Stall",
    "StepArtifacts",
    "StepRun",
    "Trickle",
    "Truncate",
    "environment_for",
    "open_catalog_server",
    "open_faulty_proxy",
    "open_hive_metastore",
    "open_s3_server",
    "run_step",
]

__getattr__ = loads(
    "flowkit.testing",
    {
        "flowkit.testing.catalog_server": "CatalogServer open_catalog_server",
        "flowkit.testing.counting_storage": "CountingStorage",
        "flowkit.testing.faulty_proxy": (
            "Fault FaultyProxy Hold Refuse Reset ResetUpload "
            "SeenRequest ShortLength SlowUpload Stall Trickle Truncate open_faulty_proxy"
        ),
        "flowkit.testing.hive_metastore": "HiveMetastore open_hive_metastore",
        "flowkit.testing.memory_storage": "MemoryStorage",
        "flowkit.testing.s3_server": "S3Server environment_for open_s3_server",
        "flowkit.testing.steps": "StepArtifacts StepRun run_step",
    },
)
