"""What holds for all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A shared machine is slow at times, and a slow example is no wrong one.
settings.register_profile("flowkit", deadline=None)
settings.load_profile("flowkit")


@pytest.fixture(scope="session", autouse=True)
def neutral_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Work outside the source tree.

    A child process looks for modules in its working folder first, and the tree has no compiled
    one: children must import the flowkit that is installed, as the tests themselves do.
    """
    os.chdir(tmp_path_factory.mktemp("cwd"))
