"""Configs: known before decorators count, kept with the run, and read by its resumes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowkit import ConfigValue
from flowkit.cli import main
from flowkit.errors import UsageError
from flowkit.graph import FlowFaults
from flowkit.runner import FlowSource, Resumes, RunOptions, open_session
from flowkit.values import LoadOptions

if TYPE_CHECKING:
    from conftest import Lab, Ran

CONFIGURED = """
    from flowkit import Config, config_expr, project

    def folded(text):
        with open("parsed.txt", "a") as calls:
            calls.write("x")
        return {"lines": text.splitlines()}

    @project(name=config_expr("config.project"))
    class Configured(FlowSpec):
        config = Config("config", default="config.json")
        extra = Config(default_value={"names": ["a", {"deep": 1}]})
        words = Config(default_value=lambda context: context.flow_name, parser=folded)
        plain = Config(default_value={"x": 1}, plain=True)
        absent = Config(default="absent.json")
        twice = Config(default_value=config_expr("{'alpha': config.alpha * 2}"))
        alpha = Parameter(default=config.alpha)
        count = Parameter(default=config_expr("len(extra.names) + config['times']"), type=int)
        seen = Parameter(default=lambda context: context.configs.config.alpha)

        @retry(times=config.times, minutes_between_retries=0)
        @resources(**config.resources)
        @environment(vars=config["vars"])
        @step
        def start(self):
            assert os.environ["COLOUR"] == "red"
            self.kinds = [type(one).__name__ for one in (self.config, self.extra, self.plain)]
            self.seen_here = [self.config.alpha, self.extra["names"][1].deep, self.alpha,
                              self.count, self.seen, self.twice.alpha, self.absent]
            self.unpacked = dict(**self.config.resources)
            self.refusals = []
            for change in (lambda: setattr(self, "config", 1),
                           lambda: setattr(self.config, "alpha", 1),
                           lambda: self.config.update(alpha=1),
                           lambda: self.extra.names.append(1)):
                try:
                    change()
                except (AttributeError, TypeError) as error:
                    self.refusals.append(type(error).__name__)
            self.next(self.end)

        @step
        def end(self):
            self.last = (self.config.to_dict(), self.words.lines)
"""
GIVEN = {
    "project": "colours",
    "alpha": 0.5,
    "times": 2,
    "resources": {"cpu": 1, "memory": 64},
    "vars": {"COLOUR": "red"},
}


def write_config(lab: Lab, **changed: Any) -> Path:
    path = lab.folder / "config.json"
    path.write_text(json.dumps({**GIVEN, **changed}))
    return path


def run(lab: Lab, **load: Any) -> Ran:
    return lab.driven(
        lambda session, listener: session.run(RunOptions(), listener), load=LoadOptions(**load)
    )


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_configs_reach_decorators_defaults_and_steps(any_lab: Lab) -> None:
    write_config(any_lab)
    ran = any_lab.run(CONFIGURED)
    assert ran.status == "succeeded"
    assert ran.value("kinds", "start") == ["ConfigValue", "ConfigValue", "dict"]
    assert ran.value("seen_here", "start") == [0.5, 1, 0.5, 4, 0.5, 1.0, None]
    assert ran.value("unpacked", "start") == {"cpu": 1, "memory": 64}
    assert ran.value("refusals", "start") == ["AttributeError"] * 2 + ["TypeError"] * 2
    assert ran.value("last") == (GIVEN, ["Configured"])


def test_configs_settle_the_policies_of_the_run(lab: Lab) -> None:
    write_config(lab)
    ran = lab.run(CONFIGURED)
    description = lab.workspace.store.run_record(ran.end.run).description
    policies = next(node for node in description.nodes if node.name == "start").policies
    assert policies.retry is not None
    assert policies.resources is not None
    assert (policies.retry.times, policies.resources.memory_mb) == (2, 64)
    assert description.policies.project is not None
    assert description.policies.project.name == "colours"
    assert json.loads(description.config_values["config"] or "") == GIVEN


def test_a_parser_is_called_once_a_run_however_its_tasks_are_started(process_lab: Lab) -> None:
    write_config(process_lab)
    process_lab.run(CONFIGURED)
    assert (process_lab.folder / "parsed.txt").read_text() == "x"


def test_the_client_reads_configs_as_dicts(lab: Lab) -> None:
    write_config(lab)
    data = lab.run(CONFIGURED).run.data
    assert data.config == GIVEN
    assert isinstance(data.config, ConfigValue)
    assert data.extra.names[1].deep == 1


def test_a_resumed_run_keeps_configs_whatever_their_files_say_by_now(any_lab: Lab) -> None:
    flow = CONFIGURED + "            assert os.path.exists('mended')\n"
    write_config(any_lab)
    assert any_lab.run(flow).status == "failed"
    write_config(any_lab, alpha=9, times="many")
    (any_lab.folder / "mended").touch()
    ran = any_lab.resume()
    assert (ran.status, ran.cloned) == ("succeeded", ["start/0"])
    assert ran.value("last")[0] == GIVEN


def test_a_session_that_has_read_other_configs_reads_those_of_the_run_it_resumes(
    any_lab: Lab,
) -> None:
    write_config(any_lab)
    any_lab.run(CONFIGURED)
    (any_lab.folder / "config.json").unlink()
    changed = {**GIVEN, "alpha": 7}
    ran = any_lab.driven(
        lambda session, listener: session.resume(RunOptions(), listener, step="end"),
        load=LoadOptions(config_values={"config": json.dumps(changed)}),
    )
    assert ran.value("last")[0] == GIVEN


def test_a_required_config_need_not_be_given_again_to_resume(lab: Lab) -> None:
    lab.write(
        """
        from flowkit import Config

        class Required(FlowSpec):
            config = Config(required=True)

            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                self.seen = self.config.a
        """
    )
    with pytest.raises(UsageError, match="config `config` is missing") as caught:
        lab.run()
    assert "--config config FILE" in (caught.value.hint or "")
    words = ("run", str(lab.file), "--config-value", "config", '{"a": 1}')
    assert lab.cli(*words).returncode == 0
    assert lab.cli("resume", str(lab.file), "end").returncode == 0
    assert lab.latest("Required")["end"].task.data.seen == 1


def test_a_step_that_names_a_config_depends_on_it(lab: Lab) -> None:
    write_config(lab)
    description = lab.workspace.store.run_record(lab.run(CONFIGURED).end.run).description
    (end,) = (node for node in description.nodes if node.name == "end")
    assert end.constants == ("config", "words")
    assert "config" not in description.constants


SOURCES = """
    from flowkit import Config

    class Sources(FlowSpec):
        config = Config(default="config.json", default_value={"from": "value"})

        @step
        def start(self):
            self.source = self.config["from"]
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_the_command_line_wins_over_the_environment_over_the_default(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write(SOURCES)
    assert run(lab).value("source", "start") == "value"
    (lab.folder / "config.json").write_text('{"from": "file"}')
    assert run(lab).value("source", "start") == "file"
    (lab.folder / "other.json").write_text('{"from": "other file"}')
    monkeypatch.setenv("FLOWKIT_FLOW_CONFIG", '{"config": "other.json"}')
    assert run(lab).value("source", "start") == "other file"
    monkeypatch.delenv("FLOWKIT_FLOW_CONFIG")
    monkeypatch.setenv("FLOWKIT_FLOW_CONFIG_VALUE", '{"config": {"from": "variable"}}')
    assert run(lab).value("source", "start") == "variable"
    given = run(lab, config_values={"config": '{"from": "option"}'})
    assert given.value("source", "start") == "option"
    given = run(lab, config_files={"config": "other.json"})
    assert given.value("source", "start") == "other file"


@pytest.mark.parametrize(
    ("given", "environment", "message", "hint"),
    [
        ({"config_values": {"confg": "{}"}}, {}, "no config `confg`", "`config`"),
        ({"config_files": {"config": "no.json"}}, {}, "`no.json`", "--config config FILE"),
        ({"config_values": {"config": '{\n"a": }'}}, {}, "line 2", "parser"),
        ({"config_values": {"config": "9" * 5000}}, {}, "too many digits", "parser"),
        ({"config_values": {"config": "[" * 50_000}}, {}, "too deep", "parser"),
        ({}, {"FLOWKIT_FLOW_CONFIG_VALUE": "[" * 50_000}, "no JSON object", '{"config":'),
        ({}, {"FLOWKIT_FLOW_CONFIG_VALUE": "9" * 5000}, "no JSON object", '{"config":'),
        (
            {"config_values": {"config": "{}"}, "config_files": {"config": "x"}},
            {},
            "is given by `--config config` and by `--config-value config`",
            "either",
        ),
        ({}, {"FLOWKIT_FLOW_CONFIG": "config.json"}, "no JSON object", '{"config":'),
        ({}, {"FLOWKIT_FLOW_CONFIG_VALUE": "[]"}, "no JSON object", '{"config":'),
        (
            {},
            {"FLOWKIT_FLOW_CONFIG_VALUE": '{"confg": 1}'},
            "environment FLOWKIT_FLOW_CONFIG_VALUE gives",
            "`config`",
        ),
    ],
)
def test_what_cannot_be_a_config_is_told(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    environment: dict[str, str],
    message: str,
    hint: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    lab.write(SOURCES)
    with pytest.raises(UsageError) as caught:
        run(lab, **given)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("Config(default_value='a: b', parser='no_such_module.parse')", "cannot be imported"),
        ("Config(default_value='a', parser='no_parser')", "cannot be imported"),
        ("Config(default_value='a = b', parser='tomllib.loads')", "line 1"),
        ("Config(default_value='a', parser=lambda text: {'a': {1, 2}})", "a `set` at `a`"),
        ("Config(default_value=lambda context: 1 / 0)", "ZeroDivisionError"),
        ("Config(default_value=config_expr('config.a'))", "wait for one another"),
        ("Config(default_value=config_expr('oops.a'))", "`oops.a` cannot be computed"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_told_when_it_is_read(
    lab: Lab, declaration: str, message: str
) -> None:
    lab.write(SOURCES.replace("import Config", "import Config, config_expr"))
    text = lab.file.read_text()
    before = 'Config(default="config.json", default_value={"from": "value"})'
    lab.file.write_text(text.replace(before, declaration))
    with pytest.raises(UsageError, match="config") as caught:
        lab.run()
    assert message in caught.value.message


def test_an_expression_that_fails_is_told_with_its_place(lab: Lab) -> None:
    write_config(lab)
    lab.write(CONFIGURED.replace("config.times,", "config.time,"))
    with pytest.raises(FlowFaults) as caught:
        lab.run()
    (fault,) = caught.value.faults
    assert fault.rule == "config-expression"
    assert "`config.time` cannot be computed" in fault.message
    assert "did you mean `times`?" in fault.message
    assert fault.place is not None
    lines = lab.file.read_text().splitlines()
    assert "config.time," in lines[fault.place.line - 1]


def test_a_config_without_a_value_is_named_where_it_is_needed(lab: Lab) -> None:
    lab.write(CONFIGURED)
    with pytest.raises(UsageError, match="config `config` has no value"):
        lab.run()


TYPED = """
    from dataclasses import dataclass
    from flowkit import Config
    from pydantic import BaseModel, Field

    class Model(BaseModel):
        depth: int = Field(gt=0)
        names: list[str] = []

    @dataclass
    class Data:
        path: str
        rows: int = 10

    class Typed(FlowSpec):
        model: Model = Config(default_value={"depth": 3})
        data = Config(default_value={"path": "a.csv"}, type=Data)
        other: Model = Parameter(default='{"depth": 1}')
        rows: Data = Parameter(default=Data("b.csv"))

        @resources(memory=model.depth)
        @step
        def start(self):
            self.seen = (self.model.depth, self.model.names, self.data.rows, self.other.depth,
                         self.rows.path, type(self.model).__name__, type(self.data).__name__)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def test_models_and_dataclasses_are_types_of_configs_and_parameters(any_lab: Lab) -> None:
    ran = any_lab.run(TYPED)
    assert ran.value("seen", "start") == (3, [], 10, 1, "b.csv", "Model", "Data")


def test_each_field_that_does_not_fit_is_named(lab: Lab) -> None:
    lab.write(TYPED)
    with pytest.raises(UsageError) as caught:
        run(lab, config_values={"model": '{"depth": 0, "names": 1}', "data": '{"path": 3}'})
    for field in ("`depth`: ", "`names`: ", "`path`: "):
        assert field in caught.value.message
    with pytest.raises(UsageError) as caught:
        lab.run(None, other='{"names": 1}', rows='{"path": 3}')
    for field in ("`depth`: ", "`names`: ", "`path`: "):
        assert field in caught.value.message


def test_the_command_line_gives_configs_before_and_behind_the_command(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.write(SOURCES + "\n    if __name__ == '__main__':\n        Sources()\n")
    (lab.folder / "other.json").write_text('{"from": "other file"}')
    home = ["--home", str(lab.home)]
    file = str(lab.file)
    assert main([*home, "run", file, "--config", "config", "other.json"]) == 0
    assert main([*home, "show", "Sources/1"]) == 0
    assert 'config={"from": "other file"}' in capsys.readouterr().out
    assert main([*home, "show", "Sources/1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["configs"] == {"config": {"from": "other file"}}
    assert main([*home, "show", file, "--config-value", "config", '{"from": "x"}']) == 0
    assert 'config  {"from": "x"}' in capsys.readouterr().out
    assert main([*home, "check", file, "--config", "config", "no.json"]) == 2
    assert main([*home, "resume", file, "--config", "config", "other.json"]) == 2
    assert "a resumed run keeps its configs" in capsys.readouterr().err


def test_a_script_takes_configs_before_its_command(lab: Lab) -> None:
    lab.write(SOURCES + "\n    if __name__ == '__main__':\n        Sources()\n")
    start = [sys.executable, str(lab.file), "--home", str(lab.home)]
    start += ["--config-value", "config", '{"from": "script"}']
    environ = lab.environ()
    done = subprocess.run([*start, "run"], env=environ, check=True, capture_output=True)
    assert done.returncode == 0
    assert lab.latest("Sources")["start"].task.data.source == "script"
    refused = subprocess.run([*start, "resume"], env=environ, check=False, capture_output=True)
    assert (refused.returncode, b"keeps its configs" in refused.stderr) == (2, True)


def test_the_session_can_be_opened_for_the_run_that_it_resumes(lab: Lab) -> None:
    lab.write(SOURCES)
    run(lab, config_values={"config": '{"from": "given"}'})
    source = FlowSource(str(lab.file))
    with open_session(source, lab.settings, workspace=lab.workspace, resumes=Resumes()) as session:
        assert session.description.config_values == {"config": '{"from": "given"}'}


def test_runner_gives_configs_and_a_resumed_run_keeps_them(lab: Lab) -> None:
    from flowkit import Runner

    file = lab.write("""
    from flowkit import Config

    class Flow(FlowSpec):
        settings = Config("settings", default_value={"depth": 1})

        @step
        def start(self):
            self.depth = self.settings.depth
            self.next(self.end)

        @step
        def end(self):
            if not os.path.exists(__file__ + ".go"):
                raise ValueError("not yet")
            self.last = self.settings.depth
    """)
    env = {"FLOWKIT_HOME": str(lab.home), "FLOWKIT_SYNC": "0"}
    runner = Runner(str(file), show_output=False, env=env, config_value={"settings": {"depth": 7}})
    with runner.run() as failed:
        assert failed.status == "failed"
    (file.parent / f"{file.name}.go").touch()
    with Runner(str(file), show_output=False, env=env).resume() as resumed:
        assert resumed.status == "successful"
        assert resumed.run.data.last == 7


@pytest.mark.parametrize(
    ("decorator", "value", "expected"),
    [
        ("project", '{"name": "fraud", "branch": "mine"}', ("fraud", "mine")),
        ("project", '{"name": "fraud", "production": true}', ("fraud", None)),
    ],
)
def test_all_of_a_project_comes_from_a_config(
    lab: Lab, decorator: str, value: str, expected: tuple[str, str | None]
) -> None:
    lab.write(
        f"""
    from flowkit import Config, config_expr, {decorator}

    @{decorator}(**config_expr("config"))
    class Given(FlowSpec):
        config = Config("config", default_value={value!r})

        @step(start=True, end=True)
        def only(self): ...
    """
    )
    project = lab.run().run.project
    assert project is not None
    assert project.project == expected[0]
    assert project.branch == {"mine": "test.mine", None: "prod"}[expected[1]]


PARSED = {
    "yaml_parser": ("a: [1, 2]\nb: {c: text}", {"a": [1, 2], "b": {"c": "text"}}),
    "tomllib.loads": ("a = [1]\n[b]\nc = 'x'", {"a": [1], "b": {"c": "x"}}),
    "requirements_txt_parser": (
        "# tools\npandas==2.2.2\n\nnumpy>=2,<3  # arrays\npython==3.12\nray[default]",
        {"packages": {"pandas": "2.2.2", "numpy": ">=2,<3", "ray[default]": ""}, "python": "3.12"},
    ),
    "pyproject_toml_parser": (
        "[project]\nrequires-python = '>=3.11'\ndependencies = ['a>=2', 'b']",
        {"packages": {"a": ">=2", "b": ""}, "python": ">=3.11"},
    ),
    "conda_environment_yml_parser": (
        "dependencies:\n  - python=3.12\n  - conda-forge::numpy>=2\n  - pandas",
        {"packages": {"conda-forge::numpy": ">=2", "pandas": ""}, "python": "3.12"},
    ),
}


@pytest.mark.parametrize("parser", PARSED)
def test_parser_that_is_named_reads_a_config(lab: Lab, parser: str) -> None:
    text, expected = PARSED[parser]
    (lab.folder / "config").write_text(text)
    lab.write(
        f"""
    from flowkit import Config

    class Parsed(FlowSpec):
        config = Config(default={str(lab.folder / "config")!r}, parser={parser!r})

        @step(start=True, end=True)
        def only(self):
            self.read = self.config.to_dict()
    """
    )
    assert lab.run().value("read", "only") == expected


@pytest.mark.parametrize(
    ("parser", "text", "message"),
    [
        ("conda_environment_yml_parser", "dependencies: [{pip: [a]}]", "is no conda package"),
        ("conda_environment_yml_parser", "dependencies: 3", "no list of dependencies"),
        ("requirements_txt_parser", "a\n-r other.txt", "line 2 is no package"),
        ("requirements_txt_parser", "a; python_version < '3'", "line 1 is no package"),
        ("pyproject_toml_parser", "[project]\ndependencies = ['a @ https://b']", "is no package"),
        ("yaml_parser", "a: [", "the parser of config `config` cannot read"),
    ],
)
def test_parser_says_what_it_cannot_read(lab: Lab, parser: str, text: str, message: str) -> None:
    lab.write(
        f"""
    from flowkit import Config

    class Parsed(FlowSpec):
        config = Config(default_value={text!r}, parser={parser!r})

        @step(start=True, end=True)
        def only(self): ...
    """
    )
    with pytest.raises(UsageError, match=message):
        lab.run()
