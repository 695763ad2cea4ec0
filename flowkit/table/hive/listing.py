"""The data files below a folder, on this machine or in a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowkit.errors import StoreError, UsageError
from flowkit.table.files import Files, local_path

if TYPE_CHECKING:
    from pyarrow import fs


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A data file: where it is, the names of the folders that lead to it, and its size."""

    path: str
    folders: tuple[str, ...]
    size_bytes: int


def list_files(location: str, files: Files) -> list[FoundFile]:
    """Return the data files below a folder, sorted by path; none if the folder is not there.

    Hidden ones are left out, as Hive does: `_SUCCESS`, `.part.crc`, all below `_temporary`; and
    empty ones, which have no rows in any format.

    Raises:
        StoreError: the folder cannot be listed, or its bucket is not there.
    """
    import pyarrow
    from pyarrow import fs

    try:
        system, path = _open(location, files)
        root = path.rstrip("/")
        found = system.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
        bucket = root.partition("/")[0]
        # Nor are there folders in a bucket that is not there, and that is no empty table.
        if not found and _is_no_bucket(system, bucket):
            raise StoreError(
                f"folder `{location}` of table `{files.table}` cannot be listed: there is no "
                f"bucket `{bucket}`",
                hint="is the address right, and the endpoint?",
            )
    except (OSError, pyarrow.ArrowException) as error:
        raise StoreError(
            f"folder `{location}` of table `{files.table}` cannot be listed: "
            f"{' '.join(str(error).split())}",
            hint="is the address right, and may you list it?",
        ) from error
    prefix = location.rstrip("/")
    listed = []
    for info in found:
        if info.type is not fs.FileType.File or not info.size:
            continue
        names = info.path.removeprefix(root).strip("/").split("/")
        if not any(map(_is_hidden, names)):
            path = f"{prefix}/{'/'.join(names)}"
            listed.append(FoundFile(path, tuple(names[:-1]), info.size))
    return sorted(listed, key=lambda one: one.path)


def _is_no_bucket(system: fs.FileSystem, bucket: str) -> bool:
    from pyarrow import fs

    if not isinstance(system, fs.S3FileSystem):
        return False
    return bool(system.get_file_info(bucket).type is fs.FileType.NotFound)


def _is_hidden(name: str) -> bool:
    # A key may begin with `_`, a file that counts may not.
    underscored = name.startswith("_") and "=" not in name
    return underscored or name.startswith(".") or name.endswith((".crc", "_$folder$"))


def _open(location: str, files: Files) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs
    from pyiceberg.io.pyarrow import PyArrowFileIO

    path = local_path(location)
    if path is not None:
        return fs.LocalFileSystem(), path
    io: Any = files.remote(location)
    if not isinstance(io, PyArrowFileIO):
        raise UsageError(
            f"files cannot be listed through `{type(io).__name__}`",
            hint="set `py-io-impl` to `pyiceberg.io.pyarrow.PyArrowFileIO` for the catalog",
        )
    scheme, netloc, path = io.parse_location(location, io.properties)
    return io.fs_by_scheme(scheme, netloc), path
