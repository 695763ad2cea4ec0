"""The keys of a store: where each thing is, from names that come from outside."""

from __future__ import annotations

import re

from flowkit.errors import UsageError
from flowkit.values import Attempt, Digest, RunId

FORMAT = "format.json"
OBJECTS = "objects"
RUNS = "runs"
DELETED = "deleted"
COMPRESSED_SUFFIX = ".zst"
RECIPE_SUFFIX = ".recipe"
CHUNKS_SUFFIX = ".chunks"

_KEY = re.compile(r"(?:[^./\\\0][^/\\\0]*/)*[^./\\\0][^/\\\0]*")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def is_key(text: str) -> bool:
    """Say whether a text is a key: names joined by `/`, none of them starting with a dot."""
    return _KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """Return the key if it is one.

    Raises ValueError for a key that is malformed or would leave the storage.
    """
    if not is_key(key):
        raise ValueError(f"`{key}` is not a key: names joined by `/`, none starting with a dot")
    return key


def check_folder(prefix: str) -> str:
    """Return a folder's key without its last `/`; the empty text is the whole storage."""
    folder = prefix.removesuffix("/")
    return check_key(folder) if folder else ""


def raw_key(digest: Digest) -> str:
    """Return the key of an object's plain bytes; its other forms add a suffix."""
    name = digest.hex()
    return f"{OBJECTS}/{name[:2]}/{name}"


def compressed_key(digest: Digest) -> str:
    """Return the key of an object that is compressed."""
    return raw_key(digest) + COMPRESSED_SUFFIX


def recipe_key(digest: Digest) -> str:
    """Return the key of an object that is a recipe."""
    return raw_key(digest) + RECIPE_SUFFIX


def chunks_key(digest: Digest) -> str:
    """Return the key of an object's chunk fingerprints."""
    return raw_key(digest) + CHUNKS_SUFFIX


def digest_in(key: str) -> Digest | None:
    """Return the digest that names an object's key, or None if it names none."""
    name = key.rpartition("/")[2].partition(".")[0]
    try:
        digest = Digest.parse(name)
    except ValueError:
        return None
    return digest if raw_key(digest) == key.partition(".")[0] else None


def is_flow_name(name: str) -> bool:
    """Say whether a flow, or a step, can have this name."""
    return name.isidentifier()


def is_run_id(text: str) -> bool:
    """Say whether a run can have this id."""
    return _RUN_ID.fullmatch(text) is not None


def flow_folder(flow: str, *, under: str = RUNS) -> str:
    """Return the folder of a flow's runs. Raises UsageError for what is no flow's name."""
    if not is_flow_name(flow):
        raise UsageError(
            f"`{flow}` is not the name of a flow", hint="use the name of the flow's class"
        )
    return f"{under}/{flow}"


def run_folder(run: RunId, *, under: str = RUNS) -> str:
    """Return the folder of a run's records. Raises UsageError for what is no run id."""
    if not is_run_id(run.id):
        raise UsageError(
            f"`{run.id}` is not a run id", hint="use letters, digits, `_`, `.` and `-`"
        )
    return f"{flow_folder(run.flow, under=under)}/{run.id}"


def attempt_key(run: RunId, attempt: Attempt, *, kind: str, suffix: str) -> str:
    """Return the key of something about an attempt, such as its result."""
    key = attempt.key
    if not is_flow_name(key.step):
        raise UsageError(
            f"`{key.step}` is not the name of a step", hint="use the name of the step's method"
        )
    return f"{run_folder(run)}/{kind}/{key.step}/{key.task_id}-{attempt.number}{suffix}"
