"""What flowkit is tested with, shipped: for its own tests, and for those of plugins.

`memory_storage`, `counting_storage`: storages. `storage_contract`, `serializer_contract`,
`executor_contract`: suites that every implementation of a port passes; import these modules where
pytest is at hand.
"""

from __future__ import annotations

from flowkit.testing.counting_storage import CountingStorage
from flowkit.testing.memory_storage import MemoryStorage

__all__ = ["CountingStorage", "MemoryStorage"]
