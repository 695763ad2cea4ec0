"""What `show` and `dump` say of values whose classes are the flow's own, or that make trouble."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Lab

COLOURS = """
    import enum
    print("imported")

    class Colour(enum.Enum):
        RED = "red"
        BLUE = "blue"

    class Paints(FlowSpec):
        colour = Parameter("colour", type=Colour, default="red")
        sizes = Parameter("sizes", type=JSONType, default={"a": [1, 2.5]})

        @step
        def start(self):
            self.both = [Colour.RED, self.colour]
            self.next(self.end)

        @step
        def end(self):
            pass
"""

TROUBLE = """
    import threading

    class NotPrinted:
        def __repr__(self):
            raise RuntimeError("no picture")

    class NotLoaded:
        def __setstate__(self, state):
            raise KeyError("no way back")

    class NotPickledAgain:
        def __init__(self):
            self.is_new = True

        def __getstate__(self):
            if not self.is_new:
                raise TypeError("not twice")
            return {"is_new": False}

    class Leaves:
        def __setstate__(self, state):
            sys.exit(3)

    class Trouble(FlowSpec):
        @step
        def start(self):
            self.good = 1
            self.cycle = [1]
            self.cycle.append(self.cycle)
            self.deep = []
            for _ in range(400):
                self.deep = [self.deep]
            self.function = lambda x: x + 1
            self.not_printed = NotPrinted()
            self.not_loaded = NotLoaded()
            self.not_loaded.x = 1
            self.not_pickled_again = NotPickledAgain()
            self.leaves = Leaves()
            self.leaves.x = 1
            self.odd_name = "\\udcff"
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize("name", [None, "random.py", "my-flow.py"])
def test_a_parameter_of_a_class_in_the_flow_file_is_shown(lab: Lab, name: str | None) -> None:
    lab.write(COLOURS, name)
    lab.run(colour="blue")
    shown = lab.cli("show", "Paints/1", cwd="/")
    assert shown.returncode == 0, shown.stderr
    assert "colour=Colour('blue')" in shown.stdout  # to show a run imports nothing
    assert "imported" not in shown.stderr
    dumped = lab.cli("dump", "Paints/1/start", cwd="/")
    assert "both   = [<Colour.RED: 'red'>, <Colour.BLUE: 'blue'>]" in dumped.stdout


def test_a_class_in_a_module_beside_the_flow_file_is_found(lab: Lab) -> None:
    (lab.folder / "beside_the_flow.py").write_text(
        "class Box:\n    def __repr__(self):\n        return 'a box'\n"
    )
    lab.run(
        """
    from beside_the_flow import Box

    class Boxes(FlowSpec):
        @step
        def start(self):
            self.box = Box()
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert "box = a box" in lab.cli("dump", "Boxes/1/start", cwd="/").stdout


def test_parameters_are_json_where_json_can_hold_them(lab: Lab) -> None:
    lab.run(COLOURS, colour="blue")
    shown = lab.cli("show", "Paints/1", "--json")
    document = json.loads(shown.stdout)
    assert document["schema"] == "flowkit.show-run/2"
    assert document["parameters"]["sizes"]["value"] == {"a": [1, 2.5]}
    assert document["parameters"]["colour"]["text"] == "Colour('blue')"
    assert document["parameters"]["colour"]["type"].endswith(".Colour")
    assert "imported" not in shown.stderr


def test_a_value_whose_flow_file_is_gone_is_shown_with_the_reason(lab: Lab) -> None:
    lab.run(COLOURS)
    lab.file.unlink()
    shown = lab.cli("show", "Paints/1")
    assert shown.returncode == 0, shown.stderr
    assert "colour=Colour('" in shown.stdout
    dumped = lab.cli("dump", "Paints/1/start", "--include", "colour")
    assert dumped.returncode == 0, dumped.stderr
    (line,) = [line for line in dumped.stdout.splitlines() if "colour = " in line]
    reason = f"cannot be loaded here: ModuleNotFoundError: No module named '{lab.file.stem}'>"
    assert f"colour = <{lab.file.stem}.Colour, " in line
    assert line.endswith(reason)
    told = json.loads(lab.cli("dump", "Paints/1/start", "--json").stdout)["tasks"]
    assert told["Paints/1/start/0"]["colour"]["error"] == reason[:-1]


@pytest.fixture
def trouble(lab: Lab) -> Lab:
    """A run with artifacts that make trouble."""
    lab.run(TROUBLE)
    return lab


def test_an_artifact_that_makes_trouble_is_printed_with_what_it_is(trouble: Lab) -> None:
    ended = trouble.cli("dump", "Trouble/1/start")
    assert ended.returncode == 0, ended.stderr
    told = dict(line.strip().split(" = ", 1) for line in ended.stdout.splitlines()[1:])
    told = {name.strip(): text for name, text in told.items()}
    assert (told["good"], told["cycle"]) == ("1", "[1, [...]]")
    assert told["not_printed"].endswith(": cannot be printed: RuntimeError: no picture>")
    assert ".NotPrinted, " in told["not_printed"]
    assert told["not_loaded"].endswith(": cannot be loaded here: KeyError: 'no way back'>")
    assert ": cannot be loaded here: sys.exit was called" in told["leaves"]
    assert told["odd_name"] == "'\\udcff'"


def test_an_artifact_that_makes_trouble_has_an_error_in_json(trouble: Lab) -> None:
    ended = trouble.cli("dump", "Trouble/1/start", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)["tasks"]["Trouble/1/start/0"]
    assert told["good"]["value"] == 1
    assert told["cycle"]["text"] == "[1, [...]]"
    assert told["not_printed"]["error"] == "cannot be printed: RuntimeError: no picture"
    assert "error" in told["not_loaded"]
    assert not {"value", "text"} & set(told["not_loaded"])
    assert set(told["odd_name"]) == {"type", "size_bytes", "digest", "text"}


def test_what_cannot_be_saved_is_left_out_and_named(trouble: Lab) -> None:
    file = trouble.folder / "all.pickle"
    ended = trouble.cli("dump", "Trouble/1/start", "--file", str(file))
    assert ended.returncode == 4, ended.stderr
    assert "this is a bug" not in ended.stderr
    for name, reason in (
        ("not_loaded", "cannot be loaded here: KeyError: 'no way back'"),
        ("not_pickled_again", "cannot be pickled: TypeError: not twice"),
        ("leaves", "cannot be loaded here: sys.exit was called"),
    ):
        assert f"Trouble/1/start/0/{name}: {reason}" in ended.stderr
    assert "error: 3 artifacts could not be saved" in ended.stderr
    saved = _loaded(file, trouble)["1/start/0"]
    assert saved["good"] == 1
    assert saved["function"](1) == 2
    assert saved["cycle"][1] is saved["cycle"]
    assert {"not_loaded", "not_pickled_again", "leaves"} & set(saved) == set()
    assert {"not_printed", "deep", "odd_name"} <= set(saved)


@pytest.mark.parametrize("name", [None, "my-flow.py"])
def test_saved_values_of_the_flows_own_classes_are_read_by_pickle(
    lab: Lab, name: str | None
) -> None:
    lab.write(COLOURS, name)
    lab.run(colour="blue")
    file = lab.folder / "saved.pickle"
    assert lab.cli("dump", "Paints/1/start", "--file", str(file), cwd="/").returncode == 0
    red, blue = _loaded(file, lab)["1/start/0"]["both"]
    assert (red.name, blue.value) == ("RED", "blue")
    assert type(red).__name__ == "Colour"


def test_a_file_is_replaced_only_by_a_whole_one(trouble: Lab) -> None:
    file = trouble.folder / "kept.pickle"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link = trouble.folder / "link.pickle"
    link.symlink_to(file)
    ended = trouble.cli("dump", "Trouble/1/start", "--include", "good", "--file", str(link))
    assert ended.returncode == 0, ended.stderr
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert _loaded(file, trouble) == {"1/start/0": {"good": 1}}
    assert not [one for one in trouble.folder.iterdir() if one.name.startswith(".kept")]


def test_a_dump_can_be_written_to_a_pipe(trouble: Lab) -> None:
    ended = trouble.cli(
        "dump", "Trouble/1/start", "--include", "good", "--file", "/dev/stdout", text=False
    )
    assert ended.returncode == 0, ended.stderr
    assert pickle.loads(ended.stdout) == {"1/start/0": {"good": 1}}


def _loaded(file: Path, lab: Lab) -> Any:
    """Load a dump with nothing but pickle, where the flow's module can be imported."""
    sys.path.insert(0, str(lab.folder))
    try:
        return pickle.loads(file.read_bytes())
    finally:
        sys.path.remove(str(lab.folder))
        sys.modules.pop(lab.file.stem, None)
