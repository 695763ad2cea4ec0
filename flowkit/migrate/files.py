"""Files: which of a folder are looked at, and how they are read and written."""

from __future__ import annotations

import io
import os
import shutil
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Literal

from flowkit.errors import UsageError

Kind = Literal["python", "notebook", "text"]

# fmt: off
_TEXTS = (
    "*.sh", "*.bash", "*.zsh", "Dockerfile", "Dockerfile.*", "*.dockerfile", "Containerfile",
    "Makefile", "*.mk", "*.yml", "*.yaml", ".env", ".env.*", "*.env", "*.toml", "*.ini", "*.cfg",
    "requirements*.txt",
)
# fmt: on
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read; `data` is every byte of it, `text` is them decoded."""

    path: Path
    kind: Kind
    data: bytes
    text: str
    encoding: str


def find_files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files of a folder that may have to do with Metaflow, sorted.

    Hidden folders, environments and folders of what is installed are left out.

    Raises:
        UsageError: nothing is there, or it is a file of no kind that is known here.
    """
    if path.is_file():
        if _kind_of(path) is None:
            raise UsageError(
                f"`{path}` is of no kind that can be migrated",
                hint="name Python files, shell scripts, Dockerfiles, YAML, TOML or `.env` files",
            )
        yield path
        return
    if not path.is_dir():
        raise UsageError(f"there is no `{path}`", hint="name a file or a folder")
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED
            and not os.path.exists(here / name / "pyvenv.cfg")  # nor where we may not look
        )
        yield from (
            here / name
            for name in sorted(names)
            if _kind_of(here / name) and (here / name).exists()
        )


def read_file(path: Path) -> SourceFile:
    """Read a file whole.

    Raises:
        SyntaxError: it is Python in an encoding that does not exist.
        ValueError: it is Python, and its bytes are none of its encoding.
        OSError: it cannot be read.
    """
    kind = _kind_of(path)
    if kind is None:
        raise ValueError(f"`{path}` is of no kind that can be migrated")
    data = path.read_bytes()
    if kind == "python":
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return SourceFile(path, kind, data, data.decode(encoding), encoding)
    # Only names in ASCII are looked for; every other byte has to come out as it went in.
    return SourceFile(path, kind, data, data.decode("utf-8", "surrogateescape"), "utf-8")


def write_file(file: SourceFile, text: str) -> None:
    """Put another text in the place of a file's, in one step, with its rights kept.

    Raises:
        UsageError: the file has changed since it was read.
        OSError: it cannot be written; then it is as it was.
    """
    data = text.encode(file.encoding, "strict" if file.kind == "python" else "surrogateescape")
    # What a link leads to is written, so that the link stays.
    target = file.path.resolve()
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as written:
        try:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
            shutil.copymode(target, written.name)
            if target.read_bytes() != file.data:
                raise UsageError(
                    f"`{file.path}` was changed meanwhile, and is left alone",
                    hint="run the command again",
                )
            os.replace(written.name, target)
        except BaseException:
            os.unlink(written.name)
            raise


def _kind_of(path: Path) -> Kind | None:
    if path.suffix == ".py":
        return "python"
    if path.suffix == ".ipynb":
        return "notebook"
    return "text" if any(fnmatch(path.name, pattern) for pattern in _TEXTS) else None
