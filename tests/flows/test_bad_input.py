"""Bad input gets one clear error, and the exit code that says whose turn it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

if TYPE_CHECKING:
    from conftest import Lab

GOOD = """
    class Good(FlowSpec):
        alpha = Parameter("alpha", default=1)

        @step
        def start(self):
            import numpy
            self.big = numpy.arange(100_000)
            self.next(self.end)

        @step
        def end(self):
            if os.path.exists(os.path.join(os.path.dirname(__file__), "fail")):
                raise ValueError
            self.total = int(self.big.sum())
"""

FILES = {
    "syntax error": ("class Broken(FlowSpec:\n", 3, ["syntax error", "flow.py:3"]),
    "import error": ("import no_such_module_xyz\n", 3, ["no_such_module_xyz", "flow.py:3"]),
    "raises": ("1 / 0\n", 3, ["ZeroDivisionError", "flow.py:3"]),
    "leaves": ("import os; os._exit(0)\n", 3, ["exit code 0"]),
    "exits": ("import sys; sys.exit(0)\n", 3, ["SystemExit"]),
    "crashes": ("import ctypes; ctypes.string_at(0)\n", 3, ["SIGSEGV"]),
    "no flow": ("x = 1\n", 2, ["flow"]),
    "not text": ("\udcff\udcfe", 3, ["flow.py"]),
    "empty": ("", 2, ["flow"]),
}


@pytest.mark.parametrize(
    ("executor", "kind"),
    [*(("local", kind) for kind in FILES), ("inline", "syntax error"), ("inline", "exits")],
)
def test_a_file_without_a_usable_flow_is_refused(lab: Lab, kind: str, executor: str) -> None:
    text, code, told = FILES[kind]
    file = lab.folder / "flow.py"
    imports = "from flowkit import FlowSpec, step\n\n" if text and kind != "not text" else ""
    file.write_bytes((imports + text).encode("utf-8", "surrogateescape"))
    ended = lab.cli("run", str(file), "--executor", executor)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.count("\nerror:") + ended.stderr.startswith("error:") == 1
    assert "this is a bug" not in ended.stderr
    for word in told:
        assert word in ended.stderr, ended.stderr
    assert not (lab.home / "store" / "runs").exists()


@pytest.mark.parametrize(
    ("parameter", "decorator", "told"),
    [
        ("Parameter('a', default=10**5000)", "", "the default of parameter `a`"),
        ("Parameter('a', default={'b': 10**5000})", "", "the default of parameter `a`"),
        ("Parameter('a', default=10**400, type=float)", "", "the default of parameter `a`"),
        ("1", "@retry(times=10**5000)", "`times` of `@retry`"),
        ("1", "@timeout(seconds=1e10)", "`seconds` of `@timeout`"),
        ("1", "@resources(cpu=1e308)", "`cpu` of `@resources`"),
        ("1", "@environment(vars={'A': 10**5000})", "the environment variable `A`"),
    ],
)
def test_numbers_beyond_all_use_are_faults_with_their_lines(
    lab: Lab, parameter: str, decorator: str, told: str
) -> None:
    file = lab.write(
        f"""
        class Vast(FlowSpec):
            a = {parameter}

            {decorator}
            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    ended = lab.cli("check", str(file))
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.startswith("error: 1 fault\n")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr) < 800


@pytest.mark.parametrize("size", ["2**64", "10**5000", "0"])
def test_a_gang_that_no_machine_could_hold_is_refused(lab: Lab, size: str) -> None:
    file = lab.write(
        f"""
        class Vast(FlowSpec):
            @step
            def start(self):
                size = {size}
                self.next(self.each, num_parallel=size)

            @parallel
            @step
            def each(self):
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    ended = lab.cli("run", str(file))
    assert ended.returncode == 1
    assert "give a whole number from 1 to 1,000,000" in ended.stderr
    assert "OverflowError" not in ended.stderr


@pytest.mark.parametrize("executor", ["local", "inline"])
@pytest.mark.parametrize("is_imported", [False, True])
def test_a_file_with_a_nul_byte_is_named(lab: Lab, is_imported: bool, executor: str) -> None:
    module = lab.folder / "module.py"
    module.touch()
    lab.write("    import module\n" + GOOD)
    broken = module if is_imported else lab.file
    broken.write_bytes(broken.read_bytes() + b"\nx = 1\0\n")
    ended = lab.cli("run", str(lab.file), "--executor", executor)
    assert ended.returncode == 3
    assert ended.stderr == (
        f"error: {broken}: syntax error: source code string cannot contain null bytes\n\n"
        "hint: open it in an editor, and save it as text\n"
    )


@pytest.mark.parametrize("executor", ["local", "inline"])
def test_a_file_that_may_not_be_read_is_named(lab: Lab, executor: str) -> None:
    lab.write(GOOD)
    lab.file.chmod(0)
    words = [sys.executable, "-m", "flowkit", "run", str(lab.file), "--executor", executor]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("nothing is forbidden to root")
        forbid = "-dac_override,-dac_read_search"
        words = ["setpriv", f"--bounding-set={forbid}", f"--inh-caps={forbid}", *words]
    ended = subprocess.run(words, cwd=lab.folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"error: `{lab.file}` cannot be read: permission is denied\n\n"
        "hint: give this user the right to read it: `chmod +r` on the file\n"
    )


def test_two_flows_in_a_file_must_be_told_apart(lab: Lab) -> None:
    lab.write(GOOD + GOOD.replace("class Good", "class Better"))
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 2
    assert "`Good`" in ended.stderr
    assert "`Better`" in ended.stderr
    assert lab.cli("run", f"{lab.file}:Better").returncode == 0
    assert lab.cli("run", f"{lab.file}:Best").returncode == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["missing.py"], ["missing.py"]),
        (["{folder}"], ["folder"]),
        (["{file}", "--alpah", "2"], ["--alpah", "--alpha"]),
        (["{file}", "--alpha", "two"], ["alpha", "two"]),
        (["{file}", "--alpha"], ["--alpha"]),
        (["{file}", "--executor", "cloud"], ["cloud", "inline"]),
        (["{file}", "--with", "rety"], ["rety", "retry"]),
        (["{file}", "--with", "retry:times=many"], ["times", "many"]),
        (["{file}", "--max-workers", "0"], ["max-workers"]),
        (["{file}", "--tag", ""], ["tag"]),
        (["{file}", "--run-id-file", "{file}/id"], ["cannot be written"]),
        (["{file}", "--run-id-file", "{folder}"], ["cannot be written"]),
        (["{file}", "--alpha", "\udcff"], ["udcff", "UTF-8"]),
    ],
)
def test_a_wrong_word_on_the_command_line_is_a_usage_error(
    lab: Lab, words: list[str], told: list[str]
) -> None:
    lab.write(GOOD)
    ended = lab.cli("run", *(one.format(file=lab.file, folder=lab.folder) for one in words))
    assert ended.returncode == 2, ended.stderr
    for word in told:
        assert word in ended.stderr, ended.stderr
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (lab.home / "store" / "runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--origin-run-id", "99"], ["Good/99"]),
        (["strat"], ["strat", "`start`"]),
        (["--alpha", "2"], ["--alpha"]),
    ],
)
def test_a_wrong_word_to_resume_is_a_usage_error(
    lab: Lab, words: list[str], told: list[str]
) -> None:
    lab.run(GOOD)
    ended = lab.cli("resume", str(lab.file), *words)
    assert ended.returncode == 2, ended.stderr
    for word in told:
        assert word in ended.stderr, ended.stderr


STEPS = {
    "empty foreach": ("self.items = []", "self.next(self.work, foreach='items')", "empty"),
    "number foreach": ("self.items = 3", "self.next(self.work, foreach='items')", "`int`"),
    "missing foreach": ("pass", "self.next(self.work, foreach='items')", "`items`"),
}


@pytest.mark.parametrize("kind", STEPS)
def test_a_foreach_over_nothing_is_told_with_its_name(lab: Lab, kind: str) -> None:
    before, following, told = STEPS[kind]
    lab.having(executor="inline")
    ran = lab.run(
        f"""
    class Fans(FlowSpec):
        @step
        def start(self):
            {before}
            {following}

        @step
        def work(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    assert ran.status == "failed"
    assert "items" in ran.failure.message
    assert told in ran.failure.message
    assert ran.failure.where is not None


def test_an_unknown_switch_value_names_the_known_ones(lab: Lab) -> None:
    lab.write(
        """
    class Switches(FlowSpec):
        @step
        def start(self):
            self.way = "upp"
            self.next({"up": self.up, "down": self.end}, condition="way")

        @step
        def up(self):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 1
    for word in ("`way`", "'upp'", "`up`", "`down`", "start", "hint:"):
        assert word in ended.stderr, ended.stderr


def test_a_step_that_does_not_go_on_is_told(lab: Lab) -> None:
    lab.write(
        """
    class Forgets(FlowSpec):
        @step
        def start(self):
            if not self.name:
                self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode in (1, 3)
    assert "self.next" in ended.stderr


def test_an_artifact_that_cannot_be_kept_is_named_with_type_and_step(lab: Lab) -> None:
    lab.write(
        """
    class Keeps(FlowSpec):
        @step
        def start(self):
            self.lines = (line for line in open(__file__))
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 1
    for word in ("`start`", "`lines`", "`generator`", "hint:"):
        assert word in ended.stderr, ended.stderr
    assert "cloudpickle" not in ended.stderr


def test_a_store_that_cannot_be_written_is_an_infrastructure_error(lab: Lab) -> None:
    lab.write(GOOD)
    (lab.folder / "plain").write_text("a file")
    ended = lab.cli("--store", str(lab.folder / "plain" / "store"), "run", str(lab.file))
    assert ended.returncode == 4, ended.stderr
    assert "not a directory" in ended.stderr
    ended = lab.cli("--home", str(lab.folder / "plain" / "home"), "run", str(lab.file))
    assert ended.returncode == 4, ended.stderr
    assert "this is a bug" not in ended.stderr


def test_a_store_of_a_newer_flowkit_is_left_alone(lab: Lab) -> None:
    lab.run(GOOD)
    path = Path(lab.settings.store) / "format.json"
    assert path.read_bytes().endswith(b'{"format":1}')
    start, body = b"flowkit format 1", b'{"format":99}'
    digest = blake3(start + b"\nformat.json\n" + body).hexdigest().encode()
    path.unlink()
    path.write_bytes(start + b" " + digest + b"\n" + body)
    for words in (["run", str(lab.file)], ["resume", str(lab.file)]):
        ended = lab.cli(*words)
        assert ended.returncode == 4, ended.stderr
        assert "99" in ended.stderr
        assert "upgrade" in ended.stderr


def test_a_damaged_index_points_to_reindex_which_mends_it(lab: Lab) -> None:
    first = lab.run(GOOD)
    lab.close()
    for path in lab.home.glob("metadata.db*"):
        path.write_bytes(os.urandom(8192))
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 4, ended.stderr
    assert "flowkit store reindex" in ended.stderr
    assert lab.cli("store", "reindex").returncode == 0
    assert lab.latest("Good").pathspec == first.run.pathspec
    assert lab.cli("run", str(lab.file)).returncode == 0


@pytest.mark.parametrize("damage", ["truncated", "garbled", "empty"])
def test_a_damaged_result_is_named(lab: Lab, damage: str) -> None:
    (lab.folder / "fail").touch()
    lab.run(GOOD)
    (lab.folder / "fail").unlink()
    lab.close()
    (result,) = (Path(lab.settings.store) / "runs/Good/1/results").rglob("start*/*")
    data = result.read_bytes()
    harmed = {"truncated": data[:-20], "garbled": data[:60] + b"\0" + data[61:], "empty": b""}
    result.chmod(0o644)
    result.write_bytes(harmed[damage])
    for path in lab.home.glob("metadata.db*"):
        path.unlink()
    ended = lab.cli("store", "reindex")
    assert ended.returncode == 4
    assert f"results/start/{result.name}" in ended.stdout
    ended = lab.cli("resume", str(lab.file))
    assert ended.returncode in (0, 4), ended.stderr
    assert "this is a bug" not in ended.stderr


@pytest.mark.parametrize("damage", ["deleted", "truncated", "garbled"])
def test_a_damaged_object_is_never_returned(lab: Lab, damage: str) -> None:
    (lab.folder / "fail").touch()
    lab.run(GOOD)
    (lab.folder / "fail").unlink()
    objects = [one for one in (Path(lab.settings.store) / "objects").rglob("*") if one.is_file()]
    largest = max(objects, key=lambda one: one.stat().st_size)
    data = largest.read_bytes()
    largest.chmod(0o644)
    if damage == "deleted":
        largest.unlink()
    elif damage == "truncated":
        largest.write_bytes(data[:-100])
    else:
        largest.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    ended = lab.cli("resume", str(lab.file))
    assert ended.returncode in (1, 4), ended.stderr
    assert largest.name.partition(".")[0][:12] in ended.stderr, ended.stderr
    assert "contextlib" not in ended.stderr
    assert "hint:" in ended.stderr
    assert lab.cli("run", str(lab.file)).returncode == 0


def test_a_fault_of_the_flow_is_told_with_its_line_before_anything_runs(lab: Lab) -> None:
    lab.write(
        """
    class Faulty(FlowSpec):
        @step
        def start(self):
            self.next(self.midle)

        @step
        def middle(self):
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 3
    assert f"{lab.file.name}:" in ended.stderr
    assert "`midle`" in ended.stderr
    assert not (lab.home / "store" / "runs").exists()


def test_many_workers_need_no_more_files_than_there_may_be(lab: Lab) -> None:
    lab.write(
        """
    class ManyWorkers(FlowSpec):
        @step
        def start(self):
            self.items = range(80)
            self.next(self.work, foreach="items")

        @step
        def work(self):
            time.sleep(0.2)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.n = len(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
    """
    )
    import resource

    def few_files() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))

    ended = lab.cli("run", str(lab.file), "--max-workers", "60", preexec_fn=few_files)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_json_output_of_a_run_is_untouched_by_what_importing_prints(lab: Lab) -> None:
    lab.write(
        "print('imported')\n" + "class Loud(FlowSpec):\n    @step(start=True, end=True)\n"
        "    def only(self):\n        pass\n"
    )
    assert lab.cli("run", str(lab.file)).stdout == ""
    listed = lab.cli("list", "runs", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "Loud" in json.dumps(json.loads(listed.stdout))


def test_a_run_outlives_its_index(lab: Lab) -> None:
    lab.run(GOOD)
    lab.write(
        """
    class Good(FlowSpec):
        @step
        def start(self):
            import sqlite3
            index = sqlite3.connect(os.environ["FLOWKIT_METADATA"])
            tables = index.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in tables.fetchall():
                index.execute(f"DROP TABLE {name}")
            index.commit()
            index.close()
            self.next(self.end)

        @step
        def end(self):
            time.sleep(0.4)
    """
    )
    ended = lab.cli("run", str(lab.file))
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("flowkit store reindex") == 1
    lab.close()
    assert lab.cli("store", "reindex").returncode == 0
    assert lab.latest("Good").pathspec == "Good/2"
    assert lab.latest("Good").successful


def test_check_tells_of_decorators_that_cannot_be_run(lab: Lab) -> None:
    lab.write(
        """
    from flowkit import conda_base, kubernetes

    @conda_base(python="3.12")
    class Elsewhere(FlowSpec):
        @kubernetes
        @step(start=True, end=True)
        def only(self): ...
    """
    )
    done = lab.cli("check", str(lab.file))
    assert done.returncode == 0
    assert "step `only` asks for `@kubernetes`" in done.stderr
    assert "flow `Elsewhere` asks for `@conda_base`" in done.stderr
