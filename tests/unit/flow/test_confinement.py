"""What a method can see of its task, as far as its source shows."""

from __future__ import annotations

import ast

import pytest

from flowkit.flow.confinement import is_confined, names_read
from flowkit.flow.source import FunctionSource


def method(body: str, *, arguments: str = "self") -> FunctionSource:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    (found,) = ast.parse(f"def method({arguments}):\n{lines}").body
    assert isinstance(found, FunctionSource)
    return found


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("print(self.x)", {"x"}),
        ("self.x = 1", set()),
        ("self.x += 1", {"x"}),
        ("self.x.append(1)", {"x"}),
        ("self.x[0] = 1", {"x"}),
        ("del self.x", {"x"}),
        ("getattr(self, 'x', None)", {"x"}),
        ("hasattr(self, 'x')", {"x"}),
        ("setattr(self, 'x', 1)", set()),
        ("other.x", set()),
        ("f = lambda: self.x", {"x"}),
        ("def inner():\n    return self.x", {"x"}),
        ("class Inner:\n    y = self.x", {"x"}),
    ],
)
def test_names_are_those_that_are_read(body: str, names: set[str]) -> None:
    assert names_read(method(body), is_step=True) == names


@pytest.mark.parametrize(
    ("body", "confined"),
    [
        ("self.y = self.x", True),
        ("getattr(self, 'x')", True),
        ("setattr(self, 'x', self.y)", True),
        ("self.helper(1)", True),
        ("[self.x for _ in range(3)]", True),
        ("helper(self)", False),
        ("me = self", False),
        ("return self", False),
        ("[self]", False),
        ("f'{self}'", False),
        ("getattr(self, name)", False),
        ("getattr(self, '__dict__')", False),
        ("setattr(self, name, 1)", False),
        ("vars(self)", False),
        ("self.__dict__", False),
        ("locals()", False),
        ("eval('self.x')", False),
        ("super().method()", False),
        ("self = other", False),
        ("def inner(flow=self):\n    pass", False),
        ("for self.x in helper(self):\n    pass", False),
    ],
)
def test_a_method_is_confined_if_it_uses_self_by_literal_names_only(
    body: str, confined: bool
) -> None:
    assert is_confined(method(body), is_step=True) is confined


@pytest.mark.parametrize(
    ("body", "confined"),
    [
        ("self.all = [one.x for one in inputs]", True),
        ("for one in inputs:\n    print(one.x)", True),
        ("self.x = inputs.a.x + inputs[0].x", True),
        ("self.merge_artifacts(inputs, exclude=['x'])", True),
        ("self.n = len(inputs)", True),
        ("best = max(inputs, key=lambda one: one.score)\nself.x = best.x", True),
        ("first = inputs[0]\nself.x = first.x", True),
        ("self.x = max(inputs, key=lambda one: one.score).x", True),
        ("helper(inputs)", False),
        ("self.helper(inputs)", False),
        ("self.x = list(inputs)", False),
        ("for one in inputs:\n    helper(one)", False),
        ("[helper(one) for one in inputs]", False),
        ("first = inputs[0]\nhelper(first)", False),
        ("self.x = inputs[0]", False),
        ("for a, b in zip(inputs, inputs):\n    pass", False),
        ("max(inputs, key=helper).x", False),
        ("max(inputs, key=lambda one: helper(one)).x", False),
        ("getattr(inputs, name).x", False),
        ("self.x = [one.x for one in inputs[1:]]", False),
        ("one = inputs[0]\ntwo = one\nself.x = two.x", False),
    ],
)
def test_a_join_is_confined_if_it_uses_its_inputs_so_too(body: str, confined: bool) -> None:
    assert is_confined(method(body, arguments="self, inputs"), is_step=True) is confined


def test_a_join_reads_what_it_reads_of_whatever() -> None:
    found = method("self.x = [one.y for one in inputs]", arguments="self, inputs")
    assert names_read(found, is_step=True) == {"y"}


def test_what_a_method_takes_besides_self_is_no_input() -> None:
    found = method("return helper(x) + self.y + x.z", arguments="self, x")
    assert is_confined(found, is_step=False)
    assert names_read(found, is_step=False) == {"y"}
