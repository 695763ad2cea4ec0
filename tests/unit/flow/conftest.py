"""Flow files made in a test, and imported as a user's are."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

HEADER = """\
from __future__ import annotations
import datetime, enum, functools
from typing import Any, Literal, Optional
from flowkit import (
    Config, FlowSpec, IncludeFile, JSONType, Parameter, config_expr,
    catch, concurrency, environment, parallel, resources, retry, step, timeout,
)
"""


@pytest.fixture
def flow_module(tmp_path: Path) -> Iterator[Callable[..., ModuleType]]:
    """Write a module below the usual imports, and import it under a name of its own."""
    numbers = itertools.count()
    loaded: list[str] = []

    def load(source: str, *, header: str = HEADER, register: bool = True) -> ModuleType:
        name = f"flow_file_{next(numbers)}"
        path = tmp_path / f"{name}.py"
        path.write_text(header + textwrap.dedent(source), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        if register:
            sys.modules[name] = module
            loaded.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]
