"""How a step hands over: its `self.next(...)`, read from the source without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from difflib import get_close_matches

from flowkit.flow.policies import is_artifact_name
from flowkit.flow.source import FunctionSource, own_nodes
from flowkit.graph import Case, Fault, Kind, Place

_KEYWORDS = ("foreach", "num_parallel", "condition")
_FORMS = (
    '`self.next(self.a)`, `self.next(self.a, self.b)`, `self.next(self.a, foreach="items")`, '
    "`self.next(self.a, num_parallel=4)` or "
    '`self.next({"yes": self.a, "no": self.b}, condition="answer")`'
)


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a step's self.next says."""

    kind: Kind
    place: Place
    targets: tuple[str, ...]
    foreach: str | None = None
    num_parallel: str | None = None
    condition: str | None = None
    cases: tuple[Case, ...] = ()


class HandOverReader:
    """Reads one step's self.next. What is wrong with it gathers in `faults`."""

    def __init__(self, step: str, function: FunctionSource, *, file: str) -> None:
        self.faults: list[Fault] = []
        self._step, self._function, self._file = step, function, file
        arguments = [*function.args.posonlyargs, *function.args.args]
        self._self = arguments[0].arg if arguments else "self"

    def read(self) -> HandOver | None:
        """Return the hand-over; None if there is none, or if it cannot be read."""
        calls = [node for node in own_nodes(self._function) if self._is_next(node)]
        if not calls:
            return None
        call = calls[-1]
        assert isinstance(call, ast.Call)
        if len(calls) > 1:
            self._fault(
                "next-twice",
                f"step `{self._step}` calls self.next {len(calls)} times",
                "call it once, at the end; to choose between steps, switch: "
                '`self.next({"yes": self.a, "no": self.b}, condition="answer")`',
                node=call,
            )
        last = self._function.body[-1]
        if not (isinstance(last, ast.Expr) and last.value is call):
            self._fault(
                "next-not-last",
                f"self.next is not the last statement of step `{self._step}`",
                "move it to the end of the step, outside of any `if`, `for`, `with` or `try`",
                node=call,
            )
        hand_over = self._read(call)
        return None if self.faults else hand_over

    def _is_next(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and self._attribute(node.func) == "next"

    def _attribute(self, node: ast.expr | None) -> str | None:
        """Return the `a` of `self.a`; None for anything else."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.attr if node.value.id == self._self else None
        return None

    def _fault(self, rule: str, message: str, hint: str, *, node: ast.expr) -> None:
        self.faults.append(Fault(rule, message, hint, place=Place(self._file, node.lineno)))

    def _read(self, call: ast.Call) -> HandOver:
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        for name, value in options.items():
            self._check_keyword(name, value, call)
        place = Place(self._file, call.lineno)
        foreach, condition = (self._name(options.get(name)) for name in ("foreach", "condition"))
        fans = [name for name in ("foreach", "num_parallel") if name in options]
        if len(call.args) == 1 and isinstance(call.args[0], ast.Dict):
            if fans:
                self._bad_options(f"gives self.next a dict and `{fans[0]}`", call)
            cases = self._cases(call.args[0])
            targets = tuple(dict.fromkeys(case.target for case in cases))
            return HandOver(Kind.SWITCH, place, targets, condition=condition, cases=cases)
        if "condition" in options:
            self._bad_options("gives self.next a `condition`, but no dict of steps", call)
        targets = self._targets(call)
        if len(fans) > 1:
            self._bad_options("gives self.next both `foreach` and `num_parallel`", call)
        if "num_parallel" in options:
            size = ast.unparse(options["num_parallel"])
            return HandOver(Kind.GANG, place, targets, num_parallel=size)
        if "foreach" in options:
            return HandOver(Kind.FOREACH, place, targets, foreach=foreach)
        return HandOver(Kind.SPLIT if len(targets) > 1 else Kind.LINEAR, place, targets)

    def _check_keyword(self, name: str | None, value: ast.expr, call: ast.Call) -> None:
        if name == "num_parallel":
            self._check_size(value, call)
        elif name is None or name not in _KEYWORDS:
            near = get_close_matches(name or "", _KEYWORDS, n=1)
            self._fault(
                "next-options",
                f"step `{self._step}` gives self.next an unknown option `{name or '**'}`",
                f"did you mean `{near[0]}`?" if near else f"write {_FORMS}",
                node=call,
            )
        elif self._name(value) is None:
            self._bad_options(f"does not give `{name}` as the literal name of an artifact", call)

    def _check_size(self, value: ast.expr, call: ast.Call) -> None:
        """See that the size of a gang can be one, where it is written as a literal."""
        try:
            size = ast.literal_eval(value)
        except ValueError:
            return  # it is computed, and checked then
        if type(size) is not int or size < 1:
            self._fault(
                "parallel-number",
                f"step `{self._step}` gives self.next `num_parallel={ast.unparse(value)}`",
                "give a whole number from 1 on: that many tasks run at once",
                node=call,
            )

    def _bad_options(self, what: str, call: ast.Call) -> None:
        self._fault("next-options", f"step `{self._step}` {what}", f"write {_FORMS}", node=call)

    @staticmethod
    def _name(value: ast.expr | None) -> str | None:
        """Return a literal that can name an artifact."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value if is_artifact_name(value.value) else None
        return None

    def _targets(self, call: ast.Call) -> tuple[str, ...]:
        if not call.args:
            self._fault(
                "next-target",
                f"step `{self._step}` names no step in self.next",
                f"write {_FORMS}",
                node=call,
            )
        targets: list[str] = []
        for arg in call.args:
            target = self._target(arg)
            if target is not None and target in targets:
                self._fault(
                    "next-target",
                    f"step `{self._step}` hands over to `{target}` twice",
                    "name it once; for several tasks of one step use `foreach`",
                    node=arg,
                )
            elif target is not None:
                targets.append(target)
        return tuple(targets)

    def _target(self, node: ast.expr) -> str | None:
        target = self._attribute(node)
        if target is None:
            self._fault(
                "next-target",
                f"step `{self._step}` hands over to `{ast.unparse(node)}`, "
                "which is not written as `self.step`",
                f"write {_FORMS}",
                node=node,
            )
        return target

    def _cases(self, cases: ast.Dict) -> tuple[Case, ...]:
        found = []
        for key, value in zip(cases.keys, cases.values, strict=True):
            target = self._target(value)
            try:
                literal = ast.literal_eval(key) if key is not None else ()
            except ValueError:
                literal = ()
            if not isinstance(literal, str | int | float | None):
                self._fault(
                    "switch-cases",
                    f"step `{self._step}` switches on `{ast.unparse(key) if key else '**'}`, "
                    "which is no literal",
                    "write each value as text, a number, True, False or None",
                    node=key or value,
                )
            elif target is not None:
                found.append(Case(str(literal), target))
        return tuple(found)
