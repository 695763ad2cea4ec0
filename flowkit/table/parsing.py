"""Filters written as text, as in SQL.

```
either     = both ("or" both)*
both       = one ("and" one)*
one        = "not" one | "(" either ")" | predicate
predicate  = "true" | "false" | column operator value | value operator column
           | column "is" ["not"] ("null" | "nan")
           | column ["not"] ("in" "(" value ("," value)* ")" | "between" value "and" value
                             | "like" string)
```
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.expressions.literals import Literal

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w$]))
      | (?P<string>'(?:[^']|'')*')
      | (?P<word>[a-z_][\w$]*)
      | (?P<quoted>"(?:[^"\\]|\\.)+")
      | (?P<sign><=|>=|<>|!=|==|[<>=(),.])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_KINDS: Final = {
    "=": "EqualTo",
    "==": "EqualTo",
    "!=": "NotEqualTo",
    "<>": "NotEqualTo",
    "<": "LessThan",
    "<=": "LessThanOrEqual",
    ">": "GreaterThan",
    ">=": "GreaterThanOrEqual",
}
_TRUTHS: Final = ("true", "false")
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WILDCARD: Final = re.compile(r"(?<!\\)%")


DEPTH_MAX = 50
"""What is nested deeper would take Python, and whoever goes through it later, to its limit."""


class NotUnderstood(ValueError):
    """A text is no filter from some place on."""

    def __init__(self, rest: str) -> None:
        super().__init__(f"nothing is understood from `{rest}` on" if rest else "it ends too early")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """A keyword or sign as the grammar has it; nothing if it is a value or a quoted name."""
        return self.text.lower() if self.kind in ("word", "sign") else ""


def parse_text(text: str) -> BooleanExpression:
    """Read a filter.

    Raises:
        NotUnderstood: the text is not one.
        ValueError: `like` is asked for more than a beginning, or it is nested too deep.
    """
    return _Parser(text).whole()


class _Parser:
    """Reads a filter from left to right, a token ahead."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._next = self._scan()

    def whole(self) -> BooleanExpression:
        found = self._either()
        if self._next.kind != "end":
            raise self._lost()
        return found

    def _either(self) -> BooleanExpression:
        from pyiceberg.expressions import Or

        return self._joined("or", self._both, Or)

    def _both(self) -> BooleanExpression:
        from pyiceberg.expressions import And

        return self._joined("and", self._one, And)

    def _joined(
        self,
        word: str,
        part: Callable[[], BooleanExpression],
        join: Callable[..., BooleanExpression],
    ) -> BooleanExpression:
        parts = [part()]
        while self._taken(word):
            parts.append(part())
        return join(*parts) if len(parts) > 1 else parts[0]

    def _one(self) -> BooleanExpression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ValueError(f"it is nested more than {DEPTH_MAX} deep")
        found = self._nested()
        self._depth -= 1
        return found

    def _nested(self) -> BooleanExpression:
        from pyiceberg.expressions import Not

        if self._taken("not"):
            return Not(self._one())
        if self._taken("("):
            found = self._either()
            self._expect(")")
            return found
        return self._predicate()

    def _predicate(self) -> BooleanExpression:
        from pyiceberg.expressions import AlwaysFalse, AlwaysTrue

        if self._next.kind not in ("number", "string") and self._next.word not in _TRUTHS:
            return self._about(self._column())
        value = self._value()
        if isinstance(value.value, bool) and self._next.word not in _KINDS:
            return AlwaysTrue() if value.value else AlwaysFalse()
        sign = self._operator()
        return _made(_KINDS[_MIRRORED.get(sign, sign)], self._column(), value)

    def _about(self, column: str) -> BooleanExpression:
        from pyiceberg.expressions import Not

        if self._taken("is"):
            negated = self._taken("not")
            kind = {"null": "Null", "nan": "NaN"}.get(self._next.word)
            if kind is None:
                raise self._lost()
            self._advance()
            return _made(("Not" if negated else "Is") + kind, column)
        negated = self._taken("not")
        if self._taken("in"):
            found = _made("In", column, self._values())
        elif self._taken("between"):
            low = self._value()
            self._expect("and")
            above = _made("GreaterThanOrEqual", column, low)
            found = above & _made("LessThanOrEqual", column, self._value())
        elif self._taken("like"):
            found = self._like(column)
        elif negated:
            raise self._lost()
        else:
            found = _made(_KINDS[self._operator()], column, self._value())
        return Not(found) if negated else found

    def _like(self, column: str) -> BooleanExpression:
        if self._next.kind != "string":
            raise self._lost()
        pattern = str(self._value().value)
        wildcard = _WILDCARD.search(pattern)
        if wildcard is None:
            return _made("EqualTo", column, pattern.replace("\\%", "%"))
        if wildcard.end() < len(pattern):
            raise ValueError("LIKE takes the wildcard `%` at the end of a text only")
        return _made("StartsWith", column, pattern[:-1].replace("\\%", "%"))

    def _values(self) -> list[Literal[Any]]:
        self._expect("(")
        values = [self._value()]
        while self._taken(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> Literal[Any]:
        from pyiceberg.expressions.literals import literal

        token = self._next
        if token.kind == "string":
            value: Any = token.text[1:-1].replace("''", "'")
        elif token.kind == "number":
            value = Decimal(token.text)
            if re.fullmatch(r"[+-]?\d+", token.text):
                value = int(token.text)
        elif token.word in _TRUTHS:
            value = token.word == "true"
        else:
            raise self._lost()
        self._advance()
        return literal(value)

    def _column(self) -> str:
        names = [self._name()]
        while self._taken("."):
            names.append(self._name())
        return ".".join(names)

    def _name(self) -> str:
        token = self._next
        if token.kind not in ("word", "quoted"):
            raise self._lost()
        self._advance()
        return token.text if token.kind == "word" else re.sub(r"\\(.)", r"\1", token.text[1:-1])

    def _operator(self) -> str:
        sign = self._next.word
        if sign not in _KINDS:
            raise self._lost()
        self._advance()
        return sign

    def _taken(self, word: str) -> bool:
        """Go on if this word or sign is next."""
        found = self._next.word == word
        if found:
            self._advance()
        return found

    def _expect(self, word: str) -> None:
        if not self._taken(word):
            raise self._lost()

    def _advance(self) -> None:
        self._next = self._scan()

    def _scan(self) -> _Token:
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            raise NotUnderstood(self._text[self._at :].strip())
        self._at = found.end()
        return _Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))

    def _lost(self) -> NotUnderstood:
        return NotUnderstood(self._text[self._next.start :].strip())


def _made(kind: str, column: str, *values: Any) -> BooleanExpression:
    from pyiceberg import expressions

    made: BooleanExpression = getattr(expressions, kind)(column, *values)
    return made
