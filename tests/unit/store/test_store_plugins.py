"""Serializers and storages of other packages, installed as packages are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from flowkit.testing import MemoryStorage

class Rock:
    def __init__(self, weight):
        self.weight = weight

class RockSerializer:
    tag = "rock"
    def accepts(self, value):
        return type(value) is Rock
    def dump(self, value):
        return b"rock", [[b"%d" % value.weight, b" kg"]]
    def load(self, head, buffers):
        assert head == b"rock"
        return Rock(int(bytes(buffers[0]).split()[0]))

class Nameless(RockSerializer):
    tag = "another"

opened = []
def open_rocks(url, *, sync):
    opened.append((url, sync))
    return MemoryStorage()
"""

SAVING = """
import martian
from flowkit.store import Store
from flowkit.testing import MemoryStorage
store = Store(MemoryStorage())
writer = store.write_manifest()
writer.add("rock", martian.Rock(7))
entry = store.manifest(writer.commit()).artifacts["rock"]
"""


def run(folder: Path, points: str, code: str) -> None:
    """Run code in a process that has the package `martian` with these entry points."""
    (folder / "martian.py").write_text(MODULE)
    metadata = folder / "martian-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: martian\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(points)
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_serializer_of_another_package_saves_and_loads(tmp_path: Path) -> None:
    points = "[flowkit.serializers]\nrock = martian:RockSerializer\n"
    check = """
assert entry.tag == "rock"
assert store.load(entry).weight == 7
assert Store(store.storage).load(entry).weight == 7
"""
    run(tmp_path, points, SAVING + check)


def test_without_a_plugin_pickle_takes_it(tmp_path: Path) -> None:
    run(
        tmp_path,
        "",
        SAVING + "assert entry.tag == 'pickle'\nassert store.load(entry).weight == 7\n",
    )


@pytest.mark.parametrize(
    "target", ["nowhere:RockSerializer", "martian:Missing", "martian:Nameless"]
)
def test_a_broken_serializer_is_named(tmp_path: Path, target: str) -> None:
    code = f"""
from flowkit.errors import PluginBroken
try:
    exec({SAVING!r})
except PluginBroken as error:
    assert "`rock`" in error.message
else:
    raise AssertionError("not noticed")
"""
    run(tmp_path, f"[flowkit.serializers]\nrock = {target}\n", code)


def test_a_storage_of_another_package_is_opened_by_its_scheme(tmp_path: Path) -> None:
    code = """
import martian
from flowkit.store import Store
store = Store.open("rocks://crater/7", sync=False)
assert store.get(store.put(b"x")) == b"x"
assert martian.opened == [("rocks://crater/7", False)]
"""
    run(tmp_path, "[flowkit.storages]\nrocks = martian:open_rocks\n", code)
