"""Behaviours of what steps see and leave: artifacts, splits, constants, parameters, merges."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from matrix.behaviour import Behaviour, Launch
from matrix.shapes import Each, Switch

if TYPE_CHECKING:
    from matrix.behaviour import Cell, Ended, Executor
    from matrix.shapes import Node, Shape


class Artifacts(Behaviour):
    """What a step sets is there in all later ones, until a join begins with nothing."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Note whose marks are seen, and leave an own one."""
        names = list(shape.nodes)
        return f"""
self.seen = [name for name in {names} if hasattr(self, "mark_" + name)]
self.mark_{node.name} = {{"by": {node.name!r}, "path": self.trail}}
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Those that were passed since the last join have been seen."""
        for due in cell.shape.due():
            data = ended.task(due).data
            passed = {one for one in due.trail[:-1] if isinstance(one, str)}
            looped = {due.step} if due.iteration else set()
            assert set(data.seen) == passed | looped
            assert getattr(data, f"mark_{due.step}") == {"by": due.step, "path": due.trail}


class Splits(Behaviour):
    """`index`, `input` and `foreach_stack()` stay until the join; `inputs` are in split order."""

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Note the fans that the step is in."""
        order = "self.order = [one.frames for one in inputs]\n" if node.joins else ""
        frames = "[tuple(one) for one in self.foreach_stack()]"
        return f"{order}self.frames = {frames}\nself.here = (self.index, self.input)"

    def check(self, cell: Cell, ended: Ended) -> None:
        """They are those of the walk."""
        for due in cell.shape.due():
            data = ended.task(due).data
            assert data.frames == list(due.stack)
            if not cell.shape.is_gang(due.step):
                last = due.stack[-1] if due.stack else (None, None, None)
                assert data.here == (last[0], last[2])
            if due.inputs:
                assert data.order == [list(one.stack) for one in due.inputs]


class Constants(Behaviour):
    """Attributes of the class are seen in every step, read-only, and no parameters."""

    members = "LIMIT = 7\nNAMES = ['a', 'b']\nrate = Parameter(default=0.5)"

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Read them, and try to set them."""
        return """
self.refused = []
for name in ("LIMIT", "NAMES", "rate"):
    try:
        setattr(self, name, 8)
    except AttributeError as error:
        self.refused.append(name in str(error))
self.read = (self.LIMIT, self.NAMES, self.rate)
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """All were read and none was set; the client reads them too."""
        for due in cell.shape.due():
            data = ended.task(due).data
            assert data.refused == [True, True, True]
            assert data.read == (7, ["a", "b"], 0.5)
            assert data.LIMIT == 7
        shown = cell.json("show", ended.run.pathspec)
        assert list(shown["parameters"]) == ["rate"]


class Parameters(Behaviour):
    """Parameters of every type and source have the same values everywhere."""

    members = """
rate = Parameter(default=0.5)
count = Parameter(type=int)
names = Parameter(default="a,b", separator=",")
data = Parameter(type=JSONType, default='{"x": [1]}')
flag = Parameter(default=False)
label = Parameter(default="x")
made = Parameter(default=lambda context: called())
"""
    before_class = """
def called():
    with open("calls.txt", "a") as calls:
        calls.write("called\\n")
    return "made"
"""

    def launch(self, cell: Cell) -> Launch:
        """Give some on the command line, and one by a variable."""
        given = {"count": "3", "names": "c,d,e", "data": '{"y": null}', "label": "größer"}
        return Launch(parameters=given, environ={"FLOWKIT_RUN_RATE": "0.25"})

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Read them."""
        names = ["rate", "count", "names", "data", "flag", "label", "made"]
        return f"self.read = [{', '.join(f'self.{one}' for one in names)}]"

    def check(self, cell: Cell, ended: Ended) -> None:
        """They are what was given; a function was called once."""
        values = [0.25, 3, ["c", "d", "e"], {"y": None}, False, "größer", "made"]
        for due in cell.shape.due():
            assert ended.task(due).data.read == values
        assert (cell.folder / "calls.txt").read_text() == "called\n"
        parameters = ended.run.parameters
        assert [parameters.count, parameters.label] == [3, "größer"]
        assert cell.json("show", ended.run.pathspec)["parameters"]["count"]["type"] == "int"


class Files(Behaviour):
    """`IncludeFile`: text, bytes, another file by a variable, and one that is not there."""

    members = """
text = IncludeFile("text", default="words.txt")
raw = IncludeFile("raw", default="raw.bin", is_text=False)
other = IncludeFile("other", default="words.txt")
absent = IncludeFile("absent", required=False)
"""
    before_class = "from flowkit import IncludeFile\n"

    def launch(self, cell: Cell) -> Launch:
        """Write the files."""
        (cell.folder / "words.txt").write_text("süß\n", encoding="utf-8")
        (cell.folder / "others.txt").write_text("others")
        (cell.folder / "raw.bin").write_bytes(bytes(range(256)))
        return Launch(environ={"FLOWKIT_RUN_OTHER": "others.txt"})

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Read them, and try to set one."""
        return """
try:
    self.text = "other"
except AttributeError:
    self.read = (self.text, self.raw, self.other, self.absent)
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Every step has read the files as they were."""
        values = ("süß\n", bytes(range(256)), "others", None)
        for due in cell.shape.due():
            assert ended.task(due).data.read == values
        assert ended.run.parameters.text == "süß\n"
        assert "süß" in cell.cli("show", ended.run.pathspec)


class Configs(Behaviour):
    """Configs by default, file, value and parser; in decorators, defaults and steps."""

    before_class = """
from flowkit import Config, config_expr

def shouting(text):
    return {"word": text.strip().upper()}
"""
    members = """
given = Config("given", default_value={"a": 0})
settings = Config("settings", default="settings.json")
spoken = Config("spoken", default_value="loud", parser=shouting)
rate = Parameter(default=config_expr("settings.rate"))
"""

    def launch(self, cell: Cell) -> Launch:
        """Write a file, and give a value."""
        content = {"rate": 0.75, "vars": {"COLOUR": "red"}}
        (cell.folder / "settings.json").write_text(json.dumps(content))
        return Launch(configs={"given": '{"a": {"b": 5}}'})

    def decorators(self, node: Node) -> tuple[str, ...]:
        """Decorate by a config."""
        return ("environment(vars=config_expr('settings.vars'))",)

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Read them, and try to change one."""
        return """
self.read = [self.given.a.b, self.settings["rate"], self.spoken.word, self.rate]
self.read += [os.environ["COLOUR"], dict(**self.settings.vars)]
try:
    self.given["a"] = 3
except TypeError:
    self.is_kept = True
"""

    def check(self, cell: Cell, ended: Ended) -> None:
        """Every step has read the same, and changed nothing."""
        values = [5, 0.75, "LOUD", 0.75, "red", {"COLOUR": "red"}]
        for due in cell.shape.due():
            data = ended.task(due).data
            assert (data.read, data.is_kept) == (values, True)
        assert cell.json("show", ended.run.pathspec)["configs"]["given"] == {"a": {"b": 5}}


class Merges(Behaviour):
    """`merge_artifacts`: a conflict sets nothing; `include`, `exclude`; only in joins."""

    before_class = "from flowkit.exception import UnhandledInMergeArtifactsException\n"

    def lines(self, node: Node, shape: Shape, executor: Executor) -> str:
        """Try all ways to merge in joins, and leave what can and what cannot be merged."""
        if not node.joins:
            ends = "" if node.next else _OUTSIDE
            return f"self.common = 'common'\nself.clash = (current.task_id, self.trail)\n{ends}"
        own = [name for kind, name in ((Each, "items"), (Switch, "key")) if shape.has(kind)]
        return _MERGE.replace("OWN", repr(["clash", *own, "tried"]))

    def check(self, cell: Cell, ended: Ended) -> None:
        """What was tried came to what it has to."""
        for due in cell.shape.due():
            data = ended.task(due).data
            if due.inputs:
                several = len(due.inputs) > 1
                assert data.tried == [several, several, True, True, "common", not several], due
                assert data.common == "common"
        assert ended.run.data is not None
        assert ended.run.data.refused


_OUTSIDE = """
try:
    self.merge_artifacts([])
except Exception as error:
    self.refused = "join" in str(error)
"""
_MERGE = """
tried = []
try:
    self.merge_artifacts(inputs)
    tried += [False, False]
except UnhandledInMergeArtifactsException:
    tried += [True, not hasattr(self, "common") and not hasattr(self, "clash")]
try:
    self.merge_artifacts(inputs, include=["common"], exclude=["clash"])
except Exception as error:
    tried.append("include" in str(error))
if len(inputs) > 1:
    excluded = [name for name in OWN if any(hasattr(one, name) for one in inputs)]
    self.merge_artifacts(inputs, exclude=excluded)
    self.merge_artifacts(inputs, include=["common"])
tried += [all(one.common == "common" for one in inputs), self.common, hasattr(self, "clash")]
self.tried = tried
self.clash = (current.task_id, self.trail)
"""

VALUES = [Artifacts(), Splits(), Constants(), Parameters(), Files(), Configs(), Merges()]
