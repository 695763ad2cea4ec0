"""What a project's modules are imported from."""

from __future__ import annotations

import importlib
import linecache
import py_compile
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import cache_from_source
from pathlib import Path
from types import ModuleType

import pytest

from flowkit.worker.imports import ExactLoader, project_imports


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import modules of a project anew."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.syspath_prepend(str(tmp_path))
    project_imports.enter(str(tmp_path))
    loaded = set()

    def load(name: str) -> ModuleType:
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        loaded.add(name)
        return importlib.import_module(name)

    yield load
    for name in loaded:
        sys.modules.pop(name, None)


def _compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is compiled."""
    compiled: list[str] = []
    compile_ = ExactLoader.source_to_code

    def note(self: ExactLoader, data: bytes, path: str) -> object:
        compiled.append(Path(path).name)
        return compile_(self, data, path)

    monkeypatch.setattr(ExactLoader, "source_to_code", note)
    return compiled


def test_cached_code_is_used_as_long_as_it_is_that_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[[str], ModuleType]
) -> None:
    compiled = _compiled(monkeypatch)
    file = tmp_path / "exact_one.py"
    file.write_text("NUMBER = 1\n")
    cache = Path(cache_from_source(str(file)))
    assert load("exact_one").NUMBER == load("exact_one").NUMBER == 1
    assert compiled == ["exact_one.py"]
    told = subprocess.run(
        [sys.executable, "-vc", "import exact_one"], cwd=tmp_path, capture_output=True, text=True
    )
    assert f"code object from '{cache}'" in told.stderr
    cache.write_bytes(cache.read_bytes()[:20])
    assert load("exact_one").NUMBER == 1
    assert compiled == ["exact_one.py"] * 2
    assert len(cache.read_bytes()) > 20


def test_code_cached_by_time_is_not_trusted(
    tmp_path: Path, load: Callable[[str], ModuleType]
) -> None:
    file = tmp_path / "exact_old.py"
    file.write_text("NUMBER = 1\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(file), doraise=True, invalidation_mode=mode)
    file.write_text("NUMBER = 2\n")
    assert load("exact_old").NUMBER == 2


def test_code_of_a_project_that_was_moved_names_the_files_where_they_are(
    tmp_path: Path, load: Callable[[str], ModuleType]
) -> None:
    for name in ("exact_before", "exact_after"):
        (tmp_path / name).mkdir(exist_ok=True)
        if name == "exact_before":
            (tmp_path / name / "inner.py").write_text("def f(): pass\n")
        else:
            (tmp_path / "exact_after").rmdir()
            (tmp_path / "exact_before").rename(tmp_path / "exact_after")
        module = load(f"{name}.inner")
        assert module.f.__code__.co_filename == module.__file__


def test_the_source_that_runs_is_shown_after_an_edit(
    tmp_path: Path, load: Callable[[str], ModuleType]
) -> None:
    file = tmp_path / "exact_shown.py"
    file.write_bytes(b"# coding: latin-1\r\nNAME = '\xe9\x85'")
    edits = project_imports.edits
    load("exact_shown")
    file.write_text("NUMBER = 2\n")
    linecache.checkcache(str(file))
    assert linecache.getlines(str(file)) == ["# coding: latin-1\n", "NAME = 'é\x85'\n"]
    assert project_imports.edits == edits
    load("exact_shown")
    assert project_imports.edits == edits + 1


def test_what_another_process_imported_is_imported_once(
    tmp_path: Path, load: Callable[[str], ModuleType]
) -> None:
    file = tmp_path / "exact_given.py"
    file.write_text("NUMBER = 2\n")
    project_imports.take({str(file): b"NUMBER = 1\n"})
    assert load("exact_given").NUMBER == 1
    assert load("exact_given").NUMBER == 2


@pytest.mark.parametrize("folder", ["lib/site-packages", ""])
def test_only_what_is_a_projects_is_looked_at(
    tmp_path: Path, folder: str, load: Callable[[str], ModuleType]
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    name = "exact_installed" if folder else "exact_own"
    (place / f"{name}.py").write_text("")
    sys.path.insert(0, str(place))
    module = load(name)
    assert isinstance(module.__loader__, ExactLoader) == (not folder)
