"""Metaflow's own tutorials say under flowkit what they say under Metaflow.

They are taken from Metaflow's package as it is installed, in an environment of its own, whose
Python `FLOWKIT_TUTORIALS_METAFLOW` names; the session `tutorials` makes one. A copy of them goes
through `flowkit migrate`, and so does the script that reads what was printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

METAFLOW = os.environ.get("FLOWKIT_TUTORIALS_METAFLOW")

pytestmark = [
    pytest.mark.skipif(METAFLOW is None, reason="run by the session `tutorials`"),
    pytest.mark.timeout(600),
]

LOOKING = """
import json, sys

from metaflow import Flow, namespace

namespace(None)
run = Flow(sys.argv[1]).latest_run
printed = {step.id: sorted(task.stdout for task in step) for step in run}
# Metaflow keeps its own `name` among the artifacts.
artifacts = {one.id: repr(one.data) for one in run.end_task if one.id != "name"}
print(json.dumps({"successful": run.successful, "printed": printed, "artifacts": artifacts}))
"""

# Both sides draw the same: what is first in order. Seeds would not do, as flowkit renews the
# generators of each task.
DRAWING = """
import random

random.choice = min
random.shuffle = list.sort
random.randint = lambda low, high: low
"""

# What is different on purpose: where runs are kept, and how they are numbered.
PLACES = (
    (r'metadata provider: [^\\"]+', "metadata provider: PLACE"),
    (r"MovieStatsFlow/\d+", "MovieStatsFlow/RUN"),
)

TUTORIALS = [
    pytest.param("00-helloworld/helloworld.py", "HelloFlow", (), id="00"),
    pytest.param("01-playlist/playlist.py", "PlayListFlow", (), id="01"),
    pytest.param("01-playlist/playlist.py", "PlayListFlow", ("--genre", "comedy"), id="01-comedy"),
    pytest.param("02-statistics/stats.py", "MovieStatsFlow", (), id="02"),
    pytest.param("03-playlist-redux/playlist.py", "PlayListFlow", (), id="03"),
    pytest.param(
        *("04-playlist-plus/playlist.py", "PlayListFlow", ()),
        marks=pytest.mark.skip(reason="its `@conda` fetches packages from the network"),
        id="04",
    ),
    pytest.param(
        *("05-hello-cloud/hello-cloud.py", "HelloCloudFlow", ()),
        marks=pytest.mark.skip(reason="its `@kubernetes` needs a cluster"),
        id="05",
    ),
]


@dataclass(frozen=True)
class Side:
    """The tutorials in a folder, and the Python that runs them."""

    folder: Path
    python: str

    def call(self, *words: str) -> str:
        """Run a script; it must succeed."""
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(
                [str(self.folder / "drawing"), os.environ.get("PYTHONPATH", "")]
            ),
            "PYTHONHASHSEED": "0",
            "HOME": str(self.folder),
            **dict.fromkeys(("LOGNAME", "USER", "USERNAME"), "ada"),
        }
        done = subprocess.run(
            [self.python, *words], cwd=self.folder, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def results(self, script: str, flow: str, options: tuple[str, ...]) -> Any:
        """Run a tutorial, and read what its tasks printed and its end holds."""
        self.call(script, "--quiet", "--no-pylint", "run", *options)
        text = self.call("looking.py", flow)
        for pattern, name in PLACES:
            text = re.sub(pattern, name, text)
        return json.loads(text)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Side, Side]:
    """The tutorials as they are shipped, and as `flowkit migrate` writes them."""
    assert METAFLOW is not None
    where = "import metaflow, os; print(os.path.dirname(metaflow.__file__))"
    package = subprocess.run(
        [METAFLOW, "-c", where], check=True, capture_output=True, text=True
    ).stdout.strip()
    shipped, migrated = (tmp_path_factory.mktemp(name) for name in ("shipped", "migrated"))
    for folder in (shipped, migrated):
        shutil.copytree(Path(package, "tutorials"), folder, dirs_exist_ok=True)
        (folder / "looking.py").write_text(LOOKING)
        (folder / "drawing").mkdir()
        (folder / "drawing" / "sitecustomize.py").write_text(DRAWING)
    ours = Side(migrated, sys.executable)
    ours.call("-m", "flowkit", "migrate", ".", "--write")
    return Side(shipped, METAFLOW), ours


@pytest.mark.parametrize(("script", "flow", "options"), TUTORIALS)
def test_a_tutorial_comes_to_the_same(
    script: str, flow: str, options: tuple[str, ...], sides: tuple[Side, Side]
) -> None:
    theirs, ours = sides
    expected = theirs.results(script, flow, options)
    assert expected["successful"]
    assert any(map(any, expected["printed"].values()))
    assert ours.results(script, flow, options) == expected
