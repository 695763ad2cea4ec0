"""What flowkit is tested with, shipped: for its own tests, and for those of plugins.

`memory_storage`, `counting_storage`: storages. `s3_server`: a real S3 server; `faulty_proxy`: what
bad networks do, before it. `catalog_server`: a real REST catalog of Iceberg tables;
`hive_metastore`: the protocol of a Hive metastore. `storage_contract`, `serializer_contract`,
`executor_contract`, `secrets_contract`: suites that every implementation of a port passes; import
these modules where pytest is at hand.
"""

from __future__ import annotations

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
    "Trickle",
    "Truncate",
    "environment_for",
    "open_catalog_server",
    "open_faulty_proxy",
    "open_hive_metastore",
    "open_s3_server",
]
