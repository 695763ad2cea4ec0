"""Parameters: declared on a class, described for a command line, bound when a run starts."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowkit.errors import UsageError
from flowkit.flow import (
    FlowSpec,
    JSONType,
    Parameter,
    ParameterContext,
    bind_parameters,
    constants_of,
    describe_flow,
)
from flowkit.graph import ParameterDescription

LoadModule = Callable[..., ModuleType]
CONTEXT = ParameterContext(flow_name="Flow", user_name="ann")
STEPS = """
    @step(start=True, end=True)
    def only(self): ...
"""


def no_file(path: str) -> bytes:
    raise FileNotFoundError(path)


def flow_with(**members: object) -> type:
    return type("Flow", (FlowSpec,), members)


def bound(
    flow: type, given: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, object]:
    return bind_parameters(
        flow, given or {}, context=CONTEXT, environment=environment or {}, read_file=no_file
    )


def described(flow: type) -> dict[str, ParameterDescription]:
    return {one.attribute: one for one in describe_flow(flow).parameters}


def rejected(flow: type, given: Mapping[str, Any], **more: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        bound(flow, given, **more)
    return caught.value


TEXTS: list[tuple[object, str, object]] = [
    (int, "3", 3),
    (int, " -3 ", -3),
    (float, "0.5", 0.5),
    (float, "1e-3", 0.001),
    (float, "3", 3.0),
    (str, " as it is ", " as it is "),
    (str, "", ""),
    (bool, "true", True),
    (bool, "False", False),
    (bool, "1", True),
    (bool, "no", False),
    (JSONType, '{"a": [1, null, "x"]}', {"a": [1, None, "x"]}),
    (JSONType, '"text"', "text"),
    (dict, '{"a": 1}', {"a": 1}),
    (list, '["a", 1]', ["a", 1]),
    (list[int], "[1, 2]", [1, 2]),
    (list[float], "[1, 0.5]", [1.0, 0.5]),
    (list[Any], '["a"]', ["a"]),
    (tuple[int, str], '[1, "a"]', (1, "a")),
    (set[str], '["a", "a"]', {"a"}),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (list[datetime.date], '["2026-01-31"]', [datetime.date(2026, 1, 31)]),
    (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)),
    (
        datetime.datetime,
        "2026-01-31T08:00:00Z",
        datetime.datetime(2026, 1, 31, 8, tzinfo=datetime.UTC),
    ),
    (Literal["fast", 3, True], "fast", "fast"),
    (Literal["fast", 3, True], "3", 3),
    (Literal["fast", 3, True], "True", True),
    (int | None, "3", 3),
    (int | str, "3", 3),
    (int | str, "x", "x"),
    (decimal.Decimal, "0.10", decimal.Decimal("0.10")),
    (Path, "a/b", Path("a/b")),
    (str.upper, "loud", "LOUD"),
]


@pytest.mark.parametrize(("kind", "text", "value"), TEXTS, ids=str)
def test_text_becomes_a_value_of_the_type(kind: object, text: str, value: object) -> None:
    found = bound(flow_with(alpha=Parameter(type=kind)), {"alpha": text})["alpha"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "0.5"),
        (int, ""),
        (float, "x"),
        (bool, "perhaps"),
        (JSONType, "{"),
        (dict, "[1]"),
        (list, '{"a": 1}'),
        (list[int], '["x"]'),
        (list[int], "3"),
        (dict[str, int], '{"a": "x"}'),
        (tuple[int, str], "[1]"),
        (datetime.date, "yesterday"),
        (Literal["a", "b"], "c"),
        (int | float, "x"),
        (decimal.Decimal, "x"),
    ],
    ids=str,
)
def test_text_that_does_not_fit_is_told_with_an_example_that_does(kind: object, text: str) -> None:
    flow = flow_with(alpha=Parameter(type=kind))
    error = rejected(flow, {"alpha": text})
    assert error.message.startswith("parameter `alpha` takes ")
    assert error.message.endswith(f", not `{text}`")
    assert error.hint is not None
    example = error.hint.removeprefix("for example `--alpha ").removesuffix("`").strip("'")
    if "VALUE" not in example and kind not in (tuple[int, str],):
        assert bound(flow, {"alpha": example})


@given(st.one_of(st.integers(), st.booleans(), st.text(), st.floats(allow_nan=False)))
def test_plain_default_is_its_own_value_and_its_text_converts_back(value: Any) -> None:
    flow = flow_with(alpha=Parameter(default=value), only=None)
    assert bound(flow) == {"alpha": value}
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    assert bound(flow, {"alpha": shown}) == {"alpha": value}


@pytest.mark.parametrize(
    ("default", "type_name"),
    [
        (3, "int"),
        (0.5, "float"),
        ("x", "str"),
        (True, "bool"),
        ({"a": 1}, "JSON"),
        ([1], "JSON"),
        (datetime.date(2026, 1, 31), "date"),
    ],
    ids=str,
)
def test_type_follows_from_the_default(
    flow_module: LoadModule, default: object, type_name: str
) -> None:
    module = flow_module(
        f"class Flow(FlowSpec):\n    alpha = Parameter(default={default!r}){STEPS}"
    )
    assert described(module.Flow)["alpha"].type_name == type_name
    assert bound(module.Flow) == {"alpha": default}


def test_annotations_give_types_even_as_text(flow_module: LoadModule) -> None:
    module = flow_module(
        """
class Mode(enum.Enum):
    FAST = "f"
    SLOW = 2

class Flow(FlowSpec):
    class Inner(enum.Enum):
        A = 1

    alpha: int = Parameter(help="how many")
    rate: float = Parameter(default=1)
    maybe: Optional[int] = Parameter()
    mode: Mode = Parameter(default=Mode.FAST)
    inner: Inner = Parameter(default="A")
    kind: Literal["x", "y"] = Parameter(default="y")
    day: datetime.date = Parameter(default="2026-01-31")
    ids: list[int] = Parameter(default=[])
    unrelated: NotThere
    plain = Parameter()
"""
        + STEPS
    )
    descriptions = described(module.Flow)
    assert {name: one.type_name for name, one in descriptions.items()} == {
        "alpha": "int",
        "rate": "float",
        "maybe": "int",
        "mode": "Mode",
        "inner": "Inner",
        "kind": "Literal['x', 'y']",
        "day": "date",
        "ids": "list[int]",
        "plain": "str",
    }
    assert [name for name, one in descriptions.items() if one.required] == ["alpha"]
    assert descriptions["alpha"].help == "how many"
    assert descriptions["mode"].choices == ("FAST", "SLOW")
    assert descriptions["mode"].default == "FAST"
    assert descriptions["kind"].choices == ("x", "y")
    assert bound(module.Flow, {"alpha": "3", "mode": "2"}) == {
        "alpha": 3,
        "rate": 1.0,
        "maybe": None,
        "mode": module.Mode.SLOW,
        "inner": module.Flow.Inner.A,
        "kind": "y",
        "day": datetime.date(2026, 1, 31),
        "ids": [],
        "plain": None,
    }


def test_annotations_resolve_in_a_module_that_nobody_registered(flow_module: LoadModule) -> None:
    module = flow_module(
        "class Mode(enum.Enum):\n    A = 1\nclass Flow(FlowSpec):\n"
        f"    mode: Mode = Parameter(default='A'){STEPS}",
        register=False,
    )
    assert bound(module.Flow) == {"mode": module.Mode.A}


def test_type_wins_over_an_annotation_that_cannot_be_resolved(flow_module: LoadModule) -> None:
    module = flow_module(
        f"class Flow(FlowSpec):\n    alpha: Missing = Parameter(type=int, default=3){STEPS}"
    )
    assert described(module.Flow)["alpha"].type_name == "int"


def test_separator_gives_lists() -> None:
    flow = flow_with(
        texts=Parameter(default="a,b", separator=","),
        ids=Parameter(type=int, separator=":", default=[7]),
        pairs=Parameter(type=tuple[int, ...], separator=",", default=(1, 2)),
        kept=Parameter(default=(1, 2), separator=","),
    )
    assert bound(flow) == {"texts": ["a", "b"], "ids": [7], "pairs": (1, 2), "kept": (1, 2)}
    assert bound(flow, {"texts": "x, y", "ids": "1:2", "pairs": "3", "kept": "5"}) == {
        "texts": ["x", "y"],
        "ids": [1, 2],
        "pairs": (3,),
        "kept": (5,),
    }
    assert bound(flow, {"texts": ""})["texts"] == []
    error = rejected(flow, {"ids": "1:x"})
    assert "a list, each element a whole number" in error.message
    assert error.hint == "for example `--ids 3:3`"


def test_elements_may_be_of_any_sequence(flow_module: LoadModule) -> None:
    module = flow_module(
        "from collections.abc import Sequence\nclass Flow(FlowSpec):\n"
        "    ids: Sequence[int] = Parameter(separator=',')\n"
        f"    kind: int | str = Parameter(default=0.5){STEPS}"
    )
    assert bound(module.Flow, {"ids": "1,2", "kind": "x"}) == {"ids": [1, 2], "kind": "x"}
    error = rejected(module.Flow, {"ids": "1"})
    assert "the default of parameter `kind` is `0.5`, not a whole number or text" in error.message


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        (Literal["a", 3], 3, 3),
        (int | str, 3, 3),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (JSONType, '{"a": 1}', {"a": 1}),
        (float, 3, 3.0),
        (int, "3", 3),
        (list[int], (1, 2), [1, 2]),
        (int, None, None),
    ],
    ids=str,
)
def test_default_becomes_a_value_of_the_type(kind: object, default: object, value: object) -> None:
    found = bound(flow_with(alpha=Parameter(type=kind, default=default)))["alpha"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "more", "default"),
    [
        (Literal["a", 3], {}, 4),
        (Literal["a", 1], {}, True),
        (int | str, {}, 0.5),
        (int, {}, True),
        (int, {"multiple": True}, 3),
        (dict[str, int], {}, {"a": "x"}),
        (float, {}, [1]),
    ],
    ids=str,
)
def test_default_of_another_type_does_not_bind(
    kind: object, more: dict[str, Any], default: object
) -> None:
    flow = flow_with(alpha=Parameter(type=kind, default=default, **more))
    assert rejected(flow, {}).message.startswith("the default of parameter `alpha` is ")


def test_multiple_takes_an_option_several_times() -> None:
    flow = flow_with(ids=Parameter(type=int, multiple=True, default=[]), only=Parameter())
    assert bound(flow) == {"ids": [], "only": None}
    assert bound(flow, {"ids": ["1", "2"]})["ids"] == [1, 2]
    assert bound(flow, {"ids": "3"})["ids"] == [3]
    assert bound(flow, environment={"FLOWKIT_RUN_IDS": "[1, 2]"})["ids"] == [1, 2]
    assert "is given 2 times" in rejected(flow, {"only": ["a", "b"]}).message
    assert "`1 x`" in rejected(flow, {"ids": ["1", "x"]}).message


def test_what_is_given_wins_over_the_environment_and_that_over_the_default() -> None:
    flow = flow_with(alpha=Parameter("learning-rate", default=1))
    environment = {"FLOWKIT_RUN_LEARNING_RATE": "2", "FLOWKIT_RUN_ALPHA": "9"}
    assert bound(flow) == {"alpha": 1}
    assert bound(flow, environment=environment) == {"alpha": 2}
    assert bound(flow, {"learning-rate": "3"}, environment) == {"alpha": 3}
    assert bound(flow, {"learning_rate": "4"}, environment) == {"alpha": 4}


def test_parameter_without_default_is_none_unless_required() -> None:
    assert bound(flow_with(alpha=Parameter(), beta=Parameter(type=int, required=False))) == {
        "alpha": None,
        "beta": None,
    }
    assert bound(flow_with(alpha=Parameter(required=True, default=3))) == {"alpha": 3}
    error = rejected(flow_with(alpha=Parameter(type=int, required=True)), {})
    assert error.message == "parameter `alpha` is missing: it takes a whole number"
    assert error.hint == "give it: `--alpha 3`"


def test_callable_default_is_called_once_and_only_if_nothing_is_given() -> None:
    seen: list[ParameterContext] = []

    def compute(context: ParameterContext) -> str:
        seen.append(context)
        return "7"

    flow = flow_with(alpha=Parameter("a", type=int, default=compute))
    assert bound(flow, {"a": "3"}) == {"alpha": 3}
    assert bound(flow, environment={"FLOWKIT_RUN_A": "4"}) == {"alpha": 4}
    assert seen == []
    assert bound(flow) == {"alpha": 7}
    assert seen == [ParameterContext(flow_name="Flow", user_name="ann", parameter_name="a")]


def test_computed_value_without_a_declared_type_is_kept_as_it_is() -> None:
    assert bound(flow_with(alpha=Parameter(default=lambda context: {1, 2}))) == {"alpha": {1, 2}}
    assert bound(flow_with(alpha=Parameter(default=lambda context: None, type=int))) == {
        "alpha": None
    }


def test_computed_default_that_raises_or_has_the_wrong_type_is_told() -> None:
    flow = flow_with(
        alpha=Parameter(default=lambda context: 1 / 0),
        beta=Parameter(type=int, default=lambda context: "x"),
    )
    error = rejected(flow, {})
    assert "the default of parameter `alpha` raised ZeroDivisionError" in error.message
    assert "the default of parameter `beta` is `'x'`, not a whole number" in error.message


def test_all_bad_values_are_told_in_one_error() -> None:
    flow = flow_with(
        alpha=Parameter(default=1), beta=Parameter(required=True), gamma=Parameter(type=float)
    )
    error = rejected(flow, {"alpha": "x", "gama": "3"}, environment={"FLOWKIT_RUN_GAMMA": "y"})
    lines = error.message.splitlines()
    assert lines[0] == "4 parameters cannot be used"
    assert lines[1::2] == [
        "the flow has no parameter `gama`",
        "parameter `alpha` takes a whole number, not `x`",
        "parameter `beta` is missing: it takes text",
        "parameter `gamma` takes a number, not `y`, from environment FLOWKIT_RUN_GAMMA",
    ]
    assert lines[2] == "    hint: did you mean `--gamma`?"


def test_unknown_name_is_told_with_the_known_ones() -> None:
    assert rejected(flow_with(alpha=Parameter()), {"zzz": "1"}).hint == "its parameters are `alpha`"
    assert rejected(flow_with(), {"zzz": "1"}).hint == "it has no parameters"


def test_description_is_what_a_command_line_needs(flow_module: LoadModule) -> None:
    module = flow_module(
        """
class Flow(FlowSpec):
    alpha = Parameter("learning-rate", default=0.5, help="how fast")
    hidden = Parameter(default="secret", show_default=False)
    later = Parameter(default=lambda context: 3)
    flag = Parameter(default=True)
    data = Parameter(default={"a": [1]})
    many = Parameter(multiple=True, default=["a"])
    must = Parameter(required=True)
"""
        + STEPS
    )
    found = described(module.Flow)
    assert found["alpha"] == ParameterDescription(
        name="learning-rate", attribute="alpha", type_name="float", help="how fast", default="0.5"
    )
    assert found["hidden"].default is None
    assert (found["later"].default, found["later"].computed) == (None, True)
    assert found["flag"].default == "true"
    assert found["data"].default == '{"a":[1]}'
    assert (found["many"].type_name, found["many"].multiple) == ("list[str]", True)
    assert found["many"].default == '["a"]'
    assert found["must"].required


def test_parameter_is_read_from_the_run_and_never_set() -> None:
    flow_class: Any = flow_with(alpha=Parameter(default=3))
    flow = flow_class.__new__(flow_class)
    assert not hasattr(flow, "alpha")
    with pytest.raises(AttributeError, match="`alpha` is read-only"):
        flow.alpha = 4
    with pytest.raises(AttributeError, match="`alpha` is read-only"):
        del flow.alpha
    vars(flow)["__flowkit_task__"] = SimpleNamespace(constant={"alpha": 5}.__getitem__)
    assert flow.alpha == 5


def test_parameter_on_its_class_is_the_declaration() -> None:
    assert repr(flow_with(alpha=Parameter("a-b")).alpha) == "Parameter('a-b')"  # type: ignore[attr-defined]


def test_constants_are_public_data_of_the_users_classes() -> None:
    base = flow_with(limit=3, names=("a",), replaced=1)
    flow = type(
        "Child",
        (base,),
        {
            "replaced": 2,
            "alpha": Parameter(),
            "_hidden": 1,
            "shown": property(lambda self: 3),
            "static": staticmethod(len),
            "helper": lambda self: 3,
            "Inner": int,
            "module": datetime,
            "nothing": None,
        },
    )
    assert constants_of(flow) == {"limit": 3, "names": ("a",), "replaced": 2, "nothing": None}
    assert constants_of(FlowSpec) == {}
