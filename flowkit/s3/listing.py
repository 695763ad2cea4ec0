"""Listing what is below a prefix, which ends at a slash: `a` has `a/b` below it, not `ab`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from flowkit.s3.addresses import S3Address
from flowkit.s3.objects import ObjectFacts
from flowkit.s3.translation import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from obstore import ObjectMeta

    from flowkit.s3.connection import Connection
    from flowkit.s3.reading import Reader

Entry: TypeAlias = tuple[S3Address, ObjectFacts | None]
"""An object; or, without facts, what is only a prefix of others."""


class Lister:
    """Lists prefixes. A listing that breaks off is begun anew, so that it is whole."""

    def __init__(self, connection: Connection, reader: Reader) -> None:
        self._connection, self._reader = connection, reader

    def below(self, address: S3Address) -> list[Entry]:
        """Return all objects below an address, sorted. Raises S3NotFound without the bucket."""
        return self._reader.insist(lambda: self._below(address))

    def next_level(self, address: S3Address) -> list[Entry]:
        """Return the objects right below an address, and the prefixes of others, sorted."""
        return self._reader.insist(lambda: self._next_level(address))

    def _below(self, address: S3Address) -> list[Entry]:
        import obstore

        store = self._connection.store(address.bucket)
        found: list[Entry] = []
        with translated(address):
            for page in obstore.list(store, address.key or None, chunk_size=1000):
                found += _entries(address.bucket, page)
        return sorted(found, key=lambda one: one[0].key)

    def _next_level(self, address: S3Address) -> list[Entry]:
        import obstore

        store = self._connection.store(address.bucket)
        with translated(address):
            level = obstore.list_with_delimiter(store, address.key or None)
        prefixes: list[Entry] = [
            (S3Address(address.bucket, key), None) for key in level["common_prefixes"]
        ]
        objects = _entries(address.bucket, level["objects"])
        return sorted([*objects, *prefixes], key=lambda one: one[0].key)


def _entries(bucket: str, page: Sequence[ObjectMeta]) -> list[Entry]:
    return [
        (
            S3Address(bucket, one["path"]),
            ObjectFacts(one["size"], one["last_modified"], one["e_tag"]),
        )
        for one in page
    ]
