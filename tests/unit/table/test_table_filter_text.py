"""Filters as text: those that pyiceberg reads, read alike, and those that it does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg import expressions as ex
from pyiceberg.expressions import parser
from pyiceberg.expressions.visitors import rewrite_not

from flowkit.table.parsing import DEPTH_MAX, NotUnderstood, parse_text

PREDICATES = [
    "a = 1",
    "a == -1",
    "1.5 <= a",
    "2 <> a",
    "a != 'it''s'",
    "a>=.5",
    "a is null",
    "a IS NOT NULL",
    "a is nan",
    "a is not nan",
    "a in (1, 2)",
    "a not in ('x','y')",
    "a in (7)",
    "a between 1 and 3",
    "a like 'x%'",
    "a not like 'x%'",
    r"a like 'x\%'",
    "flag = true",
    "false = flag",
    "s.a < 3",
    '"odd name" = 3',
    "order = 3",
    "nothing = 3",
]
TEXTS = st.recursive(
    st.sampled_from(PREDICATES),
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("( {})".format, inner),
    ),
    max_leaves=5,
)


@given(TEXTS)
def test_a_text_means_what_pyiceberg_takes_it_for(text: str) -> None:
    ours, theirs = (rewrite_not(one) for one in (parse_text(text), parser.parse(text)))
    assert sides(ours, ex.Or) == sides(theirs, ex.Or)


def sides(expression: Any, kind: type[Any]) -> list[Any]:
    """Take an expression apart, however the sides of its `and` and `or` are nested."""
    if isinstance(expression, kind):
        return [*sides(expression.left, kind), *sides(expression.right, kind)]
    other = ex.And if kind is ex.Or else ex.Or
    return [sides(expression, other)] if isinstance(expression, other) else [str(expression)]


AT_LEAST_1, AT_MOST_3 = ex.GreaterThanOrEqual("a", 1), ex.LessThanOrEqual("a", 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a in (1, 1.5)", ex.In("a", {1, Decimal("1.5")})),
        ("a < 1e3", ex.LessThan("a", 1000)),
        ("a < 1.5E-1", ex.LessThan("a", Decimal("0.15"))),
        ("a not between 1 and 3", ex.Not(ex.And(AT_LEAST_1, AT_MOST_3))),
        (r"a = 'C:\'", ex.EqualTo("a", "C:\\")),
        ("true", ex.AlwaysTrue()),
        ("not False", ex.Not(ex.AlwaysFalse())),
        ("true and a <= 3", AT_MOST_3),
    ],
)
def test_what_pyiceberg_does_not_read_is_read(text: str, expected: ex.BooleanExpression) -> None:
    assert parse_text(text) == expected


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a ~ 3", "~ 3"),
        ("a = 1 b = 2", "b = 2"),
        ("a = 'open", "'open"),
        ("a is 3", "3"),
        ("a in 3", "3"),
        ("a like 3", "3"),
        ("(a = 1", ""),
        ("a not 3", "3"),
        ("1 2", "2"),
        ("a = 12x", "12x"),
    ],
)
def test_what_is_not_understood_is_said(text: str, rest: str) -> None:
    reason = f"from `{rest}` on" if rest else "ends too early"
    with pytest.raises(NotUnderstood, match=reason):
        parse_text(text)


@pytest.mark.parametrize(("before", "after"), [("(", ")"), ("not ", "")])
def test_what_is_nested_without_end_is_refused(before: str, after: str) -> None:
    most = DEPTH_MAX - 1
    parse_text(before * most + "a = 1" + after * most)
    for depth in (DEPTH_MAX, 100_000):
        with pytest.raises(ValueError, match="nested"):
            parse_text(before * depth + "a = 1" + after * depth)
