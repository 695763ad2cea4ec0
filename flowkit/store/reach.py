"""What the runs of a store reach: the objects that must stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flowkit.errors import StoreError
from flowkit.store.keys import RECIPE_SUFFIX, digest_in
from flowkit.store.manifests import objects_of
from flowkit.store.store import Store
from flowkit.values import Digest, RunId


def find_reachable(
    store: Store,
    object_keys: Iterable[str],
    *,
    on_error: Callable[[StoreError], None],
    runs: Iterable[RunId] | None = None,
) -> dict[Digest, RunId]:
    """Return all objects that runs reach, all runs if none are named, each with the first run.

    Runs reach their parameters and the manifests of their results and clones; manifests reach the
    objects of their parts; recipes those of their extents. `object_keys` are all keys of objects,
    listed before. What cannot be read is passed to `on_error`, which may raise.
    """
    reached: dict[Digest, RunId] = {}
    manifests: set[Digest] = set()
    for run in store.run_ids() if runs is None else runs:
        for manifest in _manifests(store, run, on_error):
            if manifest in manifests:
                continue
            manifests.add(manifest)
            reached.setdefault(manifest, run)
            try:
                parts = _parts(store, manifest)
            except StoreError as error:
                on_error(error)
                continue
            for part in parts:
                reached.setdefault(part, run)
    for key in object_keys:
        digest = digest_in(key) if key.endswith(RECIPE_SUFFIX) else None
        if digest is not None and digest in reached:
            _follow_recipe(store, digest, reached, on_error)
    return reached


def _manifests(
    store: Store, run: RunId, on_error: Callable[[StoreError], None]
) -> Iterator[Digest]:
    try:
        yield store.run_record(run).parameters
    except StoreError as error:
        on_error(error)
    try:
        clones = store.clones(run)
        for clone in clones.clones if clones else ():
            yield clone.outcome.manifest
    except StoreError as error:
        on_error(error)
    for result in store.results(run, on_error=on_error):
        if result.outcome is not None:
            yield result.outcome.manifest


def _parts(store: Store, digest: Digest) -> set[Digest]:
    return objects_of(store.manifest(digest))


def _follow_recipe(
    store: Store,
    digest: Digest,
    reached: dict[Digest, RunId],
    on_error: Callable[[StoreError], None],
) -> None:
    """Add what a reached recipe is made of: plain objects, so one step is enough."""
    try:
        recipe = store.objects.find_recipe(digest)
    except StoreError as error:
        on_error(error)
        return
    for plain in recipe.plain if recipe else ():
        reached.setdefault(plain, reached[digest])
