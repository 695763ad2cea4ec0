"""Imports of a project's own code: what runs is what its files say, which is what tells it apart.

Python takes a module from its cache if the file still has the size and the time, in whole seconds,
that it had. An edit right after a run is missed then: the old code would run under the digest of
the new. So the cached code of a project's modules carries a hash of the source (PEP 552), which
Python checks as well where it imports such a module by itself.
"""

from __future__ import annotations

import io
import linecache
import marshal
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER, cache_from_source, decode_source, source_hash
from pathlib import PurePath
from types import CodeType
from typing import TYPE_CHECKING

from blake3 import blake3

from flowkit.flow import is_of_project
from flowkit.values import Behaviour

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

_FLOWKIT = PurePath(os.path.abspath(__file__)).parent.parent
_CHECKED_HASH = (0b11).to_bytes(4, "little")


class ProjectImports:
    """What this process has imported of the code of projects; there is one, `project_imports`."""

    def __init__(self) -> None:
        self._folders: list[PurePath] = []
        self._given: dict[str, bytes] = {}
        self.sources: dict[str, bytes] = {}
        """What was imported, by file."""
        self._described: frozenset[str] = frozenset()
        self._named: dict[bytes, Behaviour] = {}
        self._named_of = 0
        self.edits = 0
        """How often a file said something else on import than it was known to say."""

    def enter(self, folder: str) -> None:
        """Have modules below a folder, but what is installed there, imported from their source."""
        path = PurePath(os.path.abspath(folder))
        if path in self._folders:
            return
        if not self._folders:
            sys.path_hooks.insert(0, self._finder)
        self._folders.append(path)
        for entry in list(sys.path_importer_cache):
            if self._has(entry):
                del sys.path_importer_cache[entry]

    def take(self, sources: Mapping[str, bytes]) -> None:
        """Import these files next time as they were in another process, edited or not."""
        self._given.update(sources)

    def read(self, path: str, loader: SourceFileLoader) -> bytes:
        """Return what a file says to who imports it now, and keep it for who describes it."""
        source = self._given.pop(path, None)
        if source is None:
            source = loader.get_data(path)
        self.sources[path] = source
        return source

    def describe(self, folder: str) -> str:
        """Return a digest of all that was imported so far, for a flow in a folder."""
        self._described = frozenset(self.sources)
        self._name_modules()
        hasher = blake3()
        for path in sorted(self.sources):
            hasher.update(os.path.relpath(path, folder).encode(errors="surrogateescape"))
            hasher.update(b"\0%b" % blake3(self.sources[path]).digest())
        return hasher.hexdigest()

    def behaviour(self, pickled: bytes) -> Behaviour:
        """Say whether a pickle holds objects of the project, whose code is not in the pickle."""
        if self._named_of != len(self.sources):
            self._name_modules()
        found = {where for name, where in self._named.items() if name in pickled}
        return "lazy" if "lazy" in found else "project" if found else ""

    def _name_modules(self) -> None:
        """Find the names of modules that pickles of their objects hold."""
        self._named_of = len(self.sources)
        self._named = {
            _as_pickled(name): "project" if file in self._described else "lazy"
            for name, module in list(sys.modules.items())
            if (file := getattr(module, "__file__", None)) in self.sources
        }

    def show(self, path: str, source: bytes) -> None:
        """Let descriptions and tracebacks show the source that runs, also if its file changes."""
        lines = io.StringIO(decode_source(source)).readlines()
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        known = linecache.cache.get(path)
        if known is not None and len(known) > 1 and known[2] != lines:
            self.edits += 1
        # Without a time, the entry is not compared with the file.
        linecache.cache[path] = (len(source), None, lines, path)

    def _has(self, entry: str) -> bool:
        """Whether modules in a folder are a project's; flowkit's are not, wherever it lies."""
        file = PurePath(os.path.abspath(entry), "any.py")
        return _FLOWKIT not in file.parents and any(
            is_of_project(file, folder) for folder in self._folders
        )

    def _finder(self, entry: str) -> PathEntryFinder:
        if not self._has(entry):
            raise ImportError(f"`{entry}` is in no project", path=entry)
        return _find(entry)


project_imports = ProjectImports()


def _as_pickled(name: str) -> bytes:
    """Return the instruction of a pickle that a module's name is in (SHORT_BINUNICODE)."""
    encoded = name.encode(errors="surrogatepass")
    return b"\x8c%c%b" % (min(len(encoded), 255), encoded)


class ExactLoader(SourceFileLoader):
    """Loads a module from its source, or from cached code that was compiled from just that."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a module. Raises OSError and SyntaxError."""
        path = self.get_filename(fullname)
        source = project_imports.read(path, self)
        header = MAGIC_NUMBER + _CHECKED_HASH + source_hash(source)
        code = self._cached(path, header)
        if code is None:
            try:
                code = self.source_to_code(source, path)
            except SyntaxError as error:
                error.filename = error.filename or path  # Python leaves it out for a NUL byte
                raise
            if not sys.dont_write_bytecode:
                self._keep(path, header + marshal.dumps(code))
        project_imports.show(path, source)
        return code

    def _cached(self, path: str, header: bytes) -> CodeType | None:
        # It may not be there, be cut off, or be of a project that was somewhere else.
        with suppress(OSError, NotImplementedError, EOFError, ValueError, TypeError):
            data = self.get_data(cache_from_source(path))
            if data.startswith(header):
                code = marshal.loads(memoryview(data)[len(header) :])
                if isinstance(code, CodeType) and code.co_filename == path:
                    return code
        return None

    def _keep(self, path: str, data: bytes) -> None:
        # Where nothing can be cached, it is compiled again next time.
        with suppress(OSError, NotImplementedError):
            mode = stat.S_IMODE(os.stat(path).st_mode) & 0o666 | 0o200
            self.set_data(cache_from_source(path), data, _mode=mode)


_find = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES),
    (ExactLoader, SOURCE_SUFFIXES),
    (SourcelessFileLoader, BYTECODE_SUFFIXES),
)
