"""Where settings come from, which source wins, and what is said of wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowkit.errors import UsageError
from flowkit.settings import (
    SETTINGS,
    Settings,
    WrongSettings,
    check_settings,
    describe_setting,
    is_dumb_terminal,
    read_settings,
    wants_colour,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder that is the working one, and no settings in the environment."""
    for variable in list(os.environ):
        if variable.startswith("FLOWKIT_"):
            monkeypatch.delenv(variable)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_defaults_hold_where_nothing_is_set(project: Path) -> None:
    resolved = read_settings(project, {})
    settings = resolved.settings
    assert settings.home == project / ".flowkit"
    assert settings.store == str(project / ".flowkit" / "store")
    assert settings.metadata == str(project / ".flowkit" / "metadata.db")
    assert settings.max_workers >= 4
    assert settings.cpu >= 1
    assert settings.memory_mb > 0
    assert settings.namespace == f"user:{settings.user}"
    assert set(resolved.origins) == set(SETTINGS)
    assert set(resolved.origins.values()) == {"default"}


def test_later_sources_win(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "flowkit.toml").write_text("cpu = 1.5\n\nmax_workers = 5\nuser = 'file'\n")
    monkeypatch.setenv("FLOWKIT_USER", "env")
    monkeypatch.setenv("FLOWKIT_MAX_WORKERS", "6")
    resolved = read_settings(project, {"max_workers": 7, "cpu": None})
    assert (resolved.settings.cpu, resolved.origins["cpu"]) == (
        1.5,
        f"{project / 'flowkit.toml'}:1",
    )
    assert (resolved.settings.user, resolved.origins["user"]) == ("env", "environment FLOWKIT_USER")
    assert (resolved.settings.max_workers, resolved.origins["max_workers"]) == (7, "command line")
    assert resolved.settings.namespace == "user:env"


def test_a_table_of_pyproject_toml_is_read(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'p'\nuser = 'no'\n[tool.flowkit]\nquiet = true\nuser = 'p'\n"
    )
    resolved = read_settings(project, {})
    assert resolved.settings.quiet
    assert resolved.settings.user == "p"
    assert resolved.origins["user"] == f"{project / 'pyproject.toml'}:6"


def test_the_nearest_file_is_the_project_s(project: Path) -> None:
    (project / "flowkit.toml").write_text("gpu = 3\n")
    inner = project / "flows" / "daily"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text("[tool.other]\nkey = 1\n")
    (inner / "flow.py").write_text("")
    resolved = read_settings(inner / "flow.py", {})
    assert resolved.settings.gpu == 3
    assert resolved.settings.home == project / ".flowkit"
    (inner / "flowkit.toml").write_text("")
    nearer = read_settings(inner, {}).settings
    assert nearer.home == inner / ".flowkit"
    assert nearer.gpu == Settings().gpu


def test_flowkit_toml_goes_before_pyproject_toml(project: Path) -> None:
    (project / "flowkit.toml").write_text("gpu = 1\n")
    (project / "pyproject.toml").write_text("[tool.flowkit]\ngpu = 2\n")
    assert read_settings(project, {}).settings.gpu == 1


def test_a_file_above_in_a_folder_that_anybody_may_write_to_is_not_read(project: Path) -> None:
    shared = project / "shared"
    mine = shared / "mine"
    mine.mkdir(parents=True)
    (shared / "flowkit.toml").write_text("gpu = 9\n")
    assert read_settings(mine, {}).settings.gpu == 9
    shared.chmod(0o1777)
    assert read_settings(mine, {}).settings.gpu != 9
    assert read_settings(shared, {}).settings.gpu == 9


def test_relative_paths_mean_the_place_they_are_written_at(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "flowkit.toml").write_text("home = 'state'\nstore = '../objects'\n")
    inner = project / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    monkeypatch.setenv("FLOWKIT_METADATA", "index.db")
    settings = read_settings(inner, {}).settings
    assert settings.home == project / "state"
    assert Path(settings.store).resolve() == project.parent / "objects"
    assert settings.metadata == str(inner / "index.db")
    assert read_settings(inner, {"home": Path("x")}).settings.home == inner / "x"
    assert read_settings(inner, {"store": Path("s")}).settings.store == str(inner / "s")


def test_a_store_given_as_a_url_is_left_as_it_is(project: Path) -> None:
    url = "s3://bucket/folder"
    assert read_settings(project, {"store": url}).settings.store == url


def test_an_empty_namespace_means_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWKIT_NAMESPACE", "")
    assert read_settings(project, {}).settings.namespace is None


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("false", False), ("no", False)])
def test_the_environment_speaks_in_words(
    project: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool
) -> None:
    monkeypatch.setenv("FLOWKIT_SYNC", text)
    assert read_settings(project, {}).settings.sync is expected


def failure(project: Path, **overrides: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_settings(project, overrides)
    return caught.value


def test_an_unknown_key_of_a_file_is_refused_with_its_place(project: Path) -> None:
    (project / "flowkit.toml").write_text("quiet = true\nmax_worker = 3\n")
    error = failure(project)
    assert f"{project / 'flowkit.toml'}:2" in error.message
    assert error.hint == "did you mean `max_workers`?"


def test_an_unknown_name_like_nothing_lists_what_there_is(project: Path) -> None:
    error = failure(project, zzz=1)
    assert error.hint is not None
    assert all(name in error.hint for name in SETTINGS)


def test_a_misspelt_variable_is_refused_and_a_stranger_s_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWKIT_RUN_MAX_WORKERS", "8")
    monkeypatch.setenv("FLOWKIT_RUN_ALPHA", "0.5")
    assert read_settings(project, {}).origins["max_workers"] == "default"
    monkeypatch.setenv("FLOWKIT_MAX_WORKER", "8")
    error = failure(project)
    assert "FLOWKIT_MAX_WORKER" in error.message
    assert error.hint == "did you mean `max_workers`?"


def test_all_wrong_values_are_named_with_their_sources(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "flowkit.toml").write_text("verify = 'never'\nhome = ''\n")
    monkeypatch.setenv("FLOWKIT_MAX_WORKERS", "many")
    message = failure(project, cpu=-1).message
    assert f"`verify` is `never` in {project / 'flowkit.toml'}:1" in message
    assert "`max_workers` is `many` in environment FLOWKIT_MAX_WORKERS" in message
    assert "`cpu` is `-1` in command line" in message
    assert "`home` is ``" in message
    assert "`store`" not in message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_workers", "many", "a whole number of at least 1"),
        ("max_workers", "0", "a whole number of at least 1"),
        ("max_workers", "1.5", "a whole number of at least 1"),
        ("memory_mb", "-3", "a whole number above 0"),
        ("cpu", "all", "a number above 0 and at most 1000000000"),
        ("cpu", "inf", "a number above 0 and at most 1000000000"),
        ("s3_timeout_s", "nan", "a number above 0 and at most 1000000000"),
        ("sync", "maybe", "`true` or `false`"),
        ("progress", "bar", "`auto`, `plain` or `off`"),
        ("home", "", "the path of a folder"),
        ("executor", "", "text that is not empty"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected_and_where_it_stands(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    variable = f"FLOWKIT_{name.upper()}"
    monkeypatch.setenv(variable, value)
    found = f"`{name}` is `{value}` in environment {variable}"
    assert failure(project).message == f"{found}, but takes {expected}"


@pytest.mark.parametrize("content", [b"gpu = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_named(project: Path, content: bytes) -> None:
    (project / "flowkit.toml").write_bytes(content)
    error = failure(project)
    assert str(project / "flowkit.toml") in error.message
    assert error.exit_code == 2


def test_a_tool_entry_that_is_no_table_is_not_ours(project: Path) -> None:
    (project / "pyproject.toml").write_text("tool = 3\n")
    assert set(read_settings(project, {}).origins.values()) == {"default"}


def test_settings_do_not_change(project: Path) -> None:
    settings = read_settings(project, {}).settings
    with pytest.raises(AttributeError):
        settings.gpu = 5


def test_every_setting_is_documented() -> None:
    assert all(describe_setting(name) for name in SETTINGS)


@pytest.mark.parametrize(
    ("term", "no_colour", "is_dumb", "colour"),
    [
        ("xterm", None, False, True),
        ("xterm", "1", False, False),
        ("xterm", "", False, True),
        ("dumb", None, True, False),
        (None, None, True, False),
    ],
)
def test_colour_is_for_terminals_that_know_it_and_users_who_want_it(
    monkeypatch: pytest.MonkeyPatch,
    term: str | None,
    no_colour: str | None,
    is_dumb: bool,
    colour: bool,
) -> None:
    for variable, value in (("TERM", term), ("NO_COLOR", no_colour)):
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    assert is_dumb_terminal() is is_dumb
    assert wants_colour() is colour


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_takes_its_own_default(name: str) -> None:
    default = getattr(Settings(), name)
    assert getattr(check_settings({name: default}), name) == default
    with pytest.raises(WrongSettings):
        check_settings({name: object()})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("s3_root", "s3://bucket/x", "s3://bucket/x"),
        ("s3_root", None, None),
        ("namespace", "", None),
        ("cpu", "1.5", 1.5),
        ("cpu", 3, 3.0),
        ("gpu", " 3 ", 3),
        ("sync", "Off", False),
        ("sync", 1, True),
        ("home", "~/x", Path.home() / "x"),
        ("catalogs", {"a": {"uri": "b"}}, {"a": {"uri": "b"}}),
    ],
)
def test_values_are_read_as_they_are_written(name: str, value: object, expected: object) -> None:
    assert getattr(check_settings({name: value}), name) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("s3_root", ""),
        ("user", None),
        ("cpu", "nan"),
        ("sync", 2),
        ("store", 3),
        ("catalogs", {"a": {"uri": 1}}),
        ("no_such", 1),
    ],
)
def test_values_of_another_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(WrongSettings, match=name):
        check_settings({name: value})
