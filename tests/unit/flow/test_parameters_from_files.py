"""IncludeFile: a path is given, contents are bound."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flowkit.errors import UsageError
from flowkit.flow import FlowSpec, IncludeFile, ParameterContext, bind_parameters, describe_flow

LoadModule = Callable[..., ModuleType]


def bound(file: object, given: Mapping[str, Any] | None = None, **environment: str) -> object:
    return bind_parameters(
        type("Flow", (FlowSpec,), {"words": file}),
        given or {},
        context=ParameterContext(flow_name="Flow", user_name="ann"),
        environment=environment,
        read_file=lambda path: Path(path).read_bytes(),
    )["words"]


def rejected(file: object, given: Mapping[str, Any] | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        bound(file, given)
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "größe.txt"
    file.write_bytes("größe\n大".encode())
    return str(file)


def test_text_is_read_from_the_path_that_is_given(path: str) -> None:
    assert bound(IncludeFile("words"), {"words": path}) == "größe\n大"


def test_environment_variable_wins_over_the_default(path: str) -> None:
    file = IncludeFile("words", default="/not/there")
    assert bound(file, None, FLOWKIT_RUN_WORDS=path) == "größe\n大"


def test_binary_file_is_bytes(path: str) -> None:
    assert bound(IncludeFile("words", is_text=False), {"words": path}) == "größe\n大".encode()


def test_other_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"gr\xf6\xdfe")
    assert bound(IncludeFile(default=str(tmp_path / "latin"), encoding="latin-1")) == "größe"


def test_parser_makes_the_value(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert bound(IncludeFile(parser=json.loads), {"words": str(tmp_path / "a.json")}) == {"a": 1}


def test_default_may_be_computed(path: str) -> None:
    assert bound(IncludeFile(default=lambda context: path)) == "größe\n大"


def test_absent_optional_file_is_none() -> None:
    assert bound(IncludeFile("words")) is None
    assert bound(IncludeFile("words", default="/not/there")) is None


def test_absent_required_file_is_told() -> None:
    assert "`words` is missing" in rejected(IncludeFile(required=True)).message
    assert "`/not/there`" in rejected(IncludeFile(required=True, default="/not/there")).message


def test_file_that_is_named_must_be_readable(tmp_path: Path) -> None:
    error = rejected(IncludeFile("words"), {"words": str(tmp_path / "gone")})
    assert f"`{tmp_path / 'gone'}`" in error.message
    assert error.hint == "give the path of a readable file: `--words PATH`"
    assert f"`{tmp_path}`" in rejected(IncludeFile(default=str(tmp_path))).message


def test_wrong_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"gr\xf6\xdfe")
    error = rejected(IncludeFile(), {"words": str(tmp_path / "latin")})
    assert "is no `utf-8` text" in error.message
    assert "no-such" in rejected(IncludeFile(encoding="no-such"), {"words": __file__}).message


def test_parser_that_raises_is_told(path: str) -> None:
    error = rejected(IncludeFile(parser=json.loads), {"words": path})
    assert "the parser of parameter `words` cannot read file" in error.message
    assert "JSONDecodeError" in error.message


def test_annotation_says_what_the_contents_are_not_the_path(flow_module: LoadModule) -> None:
    module = flow_module("""
        class Flow(FlowSpec):
            words: str | None = IncludeFile(default="words.txt", help="one a line")
            model: dict = IncludeFile("model-file", required=True, parser=len)
            @step(start=True, end=True)
            def only(self): ...
    """)
    words, model = describe_flow(module.Flow).parameters
    assert (words.name, words.type_name, words.default) == ("words", "path", "words.txt")
    assert (words.help, words.required) == ("one a line", False)
    assert (model.name, model.attribute, model.required) == ("model-file", "model", True)


def test_a_file_that_must_be_given_is_asked_for_by_its_path() -> None:
    error = rejected(IncludeFile(required=True))
    assert error.message == "parameter `words` is missing: it takes the path of a file"
    assert error.hint == "give it: `--words words.txt`"
    assert (
        rejected(IncludeFile(required=True, is_text=False)).hint == "give it: `--words words.bin`"
    )
