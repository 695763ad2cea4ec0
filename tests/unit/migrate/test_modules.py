"""Python files: imports, uses, and names of variables."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

import flowkit
from flowkit.migrate import Migration, SourceFile, ask_flowkit, migrate
from flowkit.migrate.modules import migrate_python
from flowkit.migrate.offers import Offers

OFFERS = ask_flowkit(["run", "resume", "table"])


def migrated(text: str, offers: Offers = OFFERS) -> Migration:
    return migrate_python(dedent(text), offers)


def remarks(text: str) -> list[tuple[int, str]]:
    return [(remark.line, remark.kind) for remark in migrated(text).remarks]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from metaflow import step", "from flowkit import step"),
        ("from metaflow import step as s, FlowSpec", "from flowkit import step as s, FlowSpec"),
        ("from metaflow import *", "from flowkit import *"),
        ("from metaflow import \\\n  step", "from flowkit import \\\n  step"),
        ("from metaflow.client import Flow, Run", "from flowkit import Flow, Run"),
        ("from metaflow.exception import MetaflowNotFound", "from flowkit import MetaflowNotFound"),
        ("import metaflow", "import flowkit"),
        ("import os, metaflow , sys", "import os, flowkit , sys"),
        ("import metaflow as mf; mf.Run", "import flowkit as mf; mf.Run"),
        ("import metaflow; metaflow.Run('A/1')", "import flowkit; flowkit.Run('A/1')"),
        ("import metaflow; getattr(metaflow, 'Run')", "import flowkit; getattr(flowkit, 'Run')"),
        ("import metaflow.client; metaflow.client.Run", "import flowkit; flowkit.Run"),
        ("import metaflow.client as c; c.Run", "import flowkit as c; c.Run"),
        ("import metaflow; metaflow.client.core.Run", "import flowkit; flowkit.Run"),
        ("if 1:\n\timport metaflow", "if 1:\n\timport flowkit"),
    ],
)
def test_an_import_is_of_flowkit_and_so_are_its_uses(before: str, after: str) -> None:
    assert migrated(before).after == after
    assert migrated(after).after == after


def test_imports_in_functions_and_tries_are_found() -> None:
    text = """
    try:
        from metaflow import Flow
    except ImportError:
        Flow = None


    def last():
        from metaflow import Run  # late

        class Inner:
            import metaflow as mf
    """
    assert "metaflow" not in migrated(text).after


def test_all_that_is_not_an_import_stays_as_it_is() -> None:
    text = "\ufeff# metaflow\r\n\r\nfrom  metaflow  import (step, # a\r\n  FlowSpec)\x0c\r\nx = 'é'"
    body = text.removeprefix("\ufeff")
    assert migrate_python(body, OFFERS).after == body.replace("from  metaflow ", "from  flowkit ")


def test_columns_behind_wide_characters_are_right() -> None:
    text = "x = 'ééé😀'; import metaflow; y = '😀', metaflow.Run"
    assert migrated(text).after == text.replace("metaflow", "flowkit")


@pytest.mark.parametrize(
    "other",
    ["flowkit = 1", "def metaflow(): pass", "def f(metaflow): pass", "import metaflow as metaflow"],
)
def test_where_a_name_is_taken_the_old_one_stays(other: str) -> None:
    after = migrated(f"import metaflow\n{other}\nmetaflow.Run").after
    assert after.startswith("import flowkit as metaflow\n")
    assert after.endswith("\nmetaflow.Run")


def test_names_that_flowkit_does_not_have_are_told_before_and_after() -> None:
    text = "from metaflow import (\n  step,\n  Nothing,\n)\nimport metaflow\nmetaflow.Nought\n"
    first = migrate_python(text, OFFERS)
    again = migrate_python(first.after, OFFERS)
    assert [(one.line, one.kind) for one in first.remarks] == [(3, "missing"), (6, "missing")]
    assert again.remarks == first.remarks
    assert not again.changes


def test_decorators_that_cannot_be_run_yet_are_told() -> None:
    found = migrated("from metaflow import FlowSpec, kubernetes, conda_base, retry")
    assert [one.text.split("`")[1] for one in found.remarks] == ["@conda_base", "@kubernetes"]
    assert found.after == "from flowkit import FlowSpec, kubernetes, conda_base, retry"


def test_a_name_counts_as_missing_until_flowkit_has_it() -> None:
    more = Offers(OFFERS.names | {"Nothing"}, OFFERS.settings, OFFERS.commands)
    text = "from metaflow.plugins.things import Nothing"
    assert migrated(text).after == text
    assert migrated(text, more).after == "from flowkit import Nothing"


def test_a_module_without_counterpart_is_left_alone() -> None:
    text = """
    import metaflow
    import metaflow.plugins.airflow
    import metaflow.plugins.aws as aws
    from metaflow.plugins.airflow import Sensor
    from metaflow.plugins import *
    metaflow.plugins.airflow.Sensor(aws.Client), metaflow.Run
    """
    after = migrated(text).after
    assert after == dedent(text).replace("import metaflow\n", "import flowkit\n").replace(
        "metaflow.Run", "flowkit.Run"
    )
    assert remarks(text) == [(3, "missing"), (4, "missing"), (5, "missing"), (6, "missing")]


def test_an_import_from_one_module_becomes_two_where_its_names_part() -> None:
    text = "if 1:\n    from metaflow.client import Run as R, Nothing\n"
    assert migrated(text).after == (
        "if 1:\n    from flowkit import Run as R\n    from metaflow.client import Nothing\n"
    )
    line = "x = 1; from metaflow.client import Run, Nothing"
    assert migrated(line).after == (
        "x = 1; from flowkit import Run; from metaflow.client import Nothing"
    )


def test_an_import_with_a_comment_among_its_names_is_not_torn() -> None:
    text = "from metaflow.client import (\n    Run,  # a\n    Nothing,\n)\n"
    assert migrated(text).after == text
    assert [kind for _, kind in remarks(text)] == ["differs", "missing"]


def test_a_table_of_cards_is_not_one_of_data() -> None:
    assert "Table" in flowkit.__all__
    after = migrated("from metaflow.cards import Table").after
    assert after != "from flowkit import Table"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("e['METAFLOW_USER']", "e['FLOWKIT_USER']"),
        ("e[b'METAFLOW_USER']", "e[b'FLOWKIT_USER']"),
        ("'METAFLOW_USER=a METAFLOW_RUN_X=1'", "'FLOWKIT_USER=a FLOWKIT_RUN_X=1'"),
        ("f'{x} METAFLOW_USER={y}'", "f'{x} FLOWKIT_USER={y}'"),
        ("f(dict(METAFLOW_USER='a'))", "f(dict(FLOWKIT_USER='a'))"),
        ("e.update(METAFLOW_RUN_X='a')", "e.update(FLOWKIT_RUN_X='a')"),
        ("'METAFLOW_DATATOOLS_S3ROOT'", "'FLOWKIT_S3_ROOT'"),
    ],
)
def test_variables_have_flowkits_names(before: str, after: str) -> None:
    assert migrated(before).after == after


@pytest.mark.parametrize(
    "text",
    [
        "METAFLOW_USER = 1",
        "METAFLOW_USER = 1; f'{METAFLOW_USER}'",
        "f(METAFLOW_USER=1)",
        "'MY_METAFLOW_USER'",
        "'METAFLOW_'",
    ],
)
def test_what_is_no_variable_of_the_environment_stays(text: str) -> None:
    assert not migrated(text).changes


def test_variables_that_flowkit_does_not_read_stay_and_are_told() -> None:
    text = "'METAFLOW_PROFILE', 'METAFLOW_HOME'"
    assert not migrated(text).changes
    assert remarks(text) == [(1, "differs"), (1, "missing")]


def test_a_text_that_names_a_module_is_told() -> None:
    text = "import_module('metaflow')\npatch('metaflow.cards')\nprint('metaflow')"
    assert not migrated(text).changes
    assert remarks(text) == [(1, "differs"), (2, "differs")]


def test_a_file_that_does_not_speak_of_metaflow_need_not_even_parse() -> None:
    file = SourceFile(Path("a.py"), "python", b"def f(:", "def f(:", "utf-8")
    assert not migrate(file, OFFERS).changes
