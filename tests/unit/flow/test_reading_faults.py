"""Every rule that a flow is judged by, broken in a flow file.

The examples are those of docs/faults.md and, for further ways to break a rule, of
`faulty_flows.txt`. `# here` marks the line that the fault must name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flowkit.flow import FlowSpec, describe_flow
from flowkit.graph import RULES, Fault, FlowFaults

LoadModule = Callable[..., ModuleType]
DOCUMENT = Path(__file__).parents[3] / "docs" / "faults.md"
MORE = Path(__file__).with_name("faulty_flows.txt")

SECTIONS = re.findall(
    r"^## `([a-z-]+)`\n\n([^\n]+)\n\n```python\n(.+?)```$", DOCUMENT.read_text("utf-8"), re.M | re.S
)
VARIANTS = re.findall(r"^== (\S+)\n(.+?)(?=^== |\Z)", MORE.read_text("utf-8"), re.M | re.S)


def last_flow(module: ModuleType) -> type:
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, FlowSpec) and one is not FlowSpec
    ][-1]


def faults_of(module: ModuleType) -> tuple[Fault, ...]:
    with pytest.raises(FlowFaults) as caught:
        describe_flow(last_flow(module))
    return caught.value.faults


def marked_lines(module: ModuleType) -> list[int]:
    assert module.__file__ is not None
    lines = Path(module.__file__).read_text("utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.endswith("# here")]


def assert_one_fault(rule: str, module: ModuleType) -> None:
    (fault,) = faults_of(module)
    assert fault.rule == rule
    assert fault.hint
    if lines := marked_lines(module):
        assert fault.place is not None
        assert (fault.place.file, [fault.place.line]) == (module.__file__, lines)


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, _, code in SECTIONS])
def test_documented_flow_breaks_its_rule_and_no_other(
    flow_module: LoadModule, rule: str, code: str
) -> None:
    assert_one_fault(rule, flow_module(code, header=""))


@pytest.mark.parametrize(("rule", "code"), VARIANTS)
def test_flow_breaks_its_rule_and_no_other(flow_module: LoadModule, rule: str, code: str) -> None:
    assert_one_fault(rule, flow_module(code))


def test_every_rule_is_documented_as_it_is_written() -> None:
    said = {rule: f"{meaning[0].upper()}{meaning[1:]}." for rule, meaning in RULES.items()}
    assert {rule: meaning for rule, meaning, _ in SECTIONS} == said


def test_only_faults_without_a_source_have_no_marked_line() -> None:
    unmarked = {rule for rule, _, code in SECTIONS if "# here" not in code}
    assert unmarked == {"source-missing"}
