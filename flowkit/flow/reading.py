"""Reading a flow: from the class that a user wrote to a description, or to all of its faults."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import msgspec
from msgspec.structs import replace

from flowkit.flow.attributes import assignments
from flowkit.flow.config_field import configs_of
from flowkit.flow.configs import ResolvedConfig, values_of
from flowkit.flow.drafts import FlowDraft
from flowkit.flow.flow_decorators import settled_flow
from flowkit.flow.handing_over import HandOver, HandOverReader
from flowkit.flow.late import LateValue
from flowkit.flow.marks import StepMark, step_mark, unmarked
from flowkit.flow.members import is_constant, members_of
from flowkit.flow.reading_values import ValuesReader, kind_of_value
from flowkit.flow.scope import Scope
from flowkit.flow.source import FunctionSource, Sources, module_file
from flowkit.graph import (
    RESERVED_NAMES,
    Fault,
    FlowDescription,
    FlowFaults,
    FlowPolicies,
    Kind,
    Node,
    Place,
    Policies,
    check,
    reserved_name,
)


def describe_flow(
    flow_class: type,
    *,
    file: str | None = None,
    configs: Mapping[str, ResolvedConfig] | None = None,
    draft: FlowDraft | None = None,
) -> FlowDescription:
    """Read a flow from its class, with the steps and parameters that it inherits.

    `file` is what the user calls the flow's file; places in it are shown that way. `configs` are
    its configs by attribute, of which expressions are computed. `draft` has the decorators, where
    they are others than those that stand on the class.

    Raises:
        FlowFaults: the flow breaks rules; all of those that were found.
    """
    draft = draft or FlowDraft.of(flow_class)
    description, faults = _FlowReader(flow_class, file, configs or {}, draft).read()
    if faults:
        raise FlowFaults(description.name, faults, file=description.file)
    return description


class _FlowReader:
    """Reads one flow; its faults gather on the way."""

    def __init__(
        self,
        flow_class: type,
        file: str | None,
        configs: Mapping[str, ResolvedConfig],
        draft: FlowDraft,
    ) -> None:
        own = module_file(flow_class)
        self._class, self._file = flow_class, file or own or "<unknown>"
        self._draft, self._wrappers = draft, draft.wrappers()
        self._sources = Sources(own=own, shown=file)
        self._members = members_of(flow_class)
        self._marks = dict(draft.steps)
        self._constants = {
            name: member.value
            for name, member in self._members.items()
            if is_constant(name, member.value)
        }
        self._configs, self._known = configs, values_of(configs.values())
        self._scope = Scope(flow_class, self._members, self._sources, steps=set(self._marks))
        self._stored = self._constants.keys() | configs_of(flow_class).keys()
        self._faults: list[Fault] = []
        self._calls: dict[str, Place] = {}
        self._unread: set[str] = set()
        self._unclear: set[str] = set()

    def read(self) -> tuple[FlowDescription, list[Fault]]:
        self._check_members()
        self._check_artifacts()
        start, end = self._role("start"), self._role("end")
        values = ValuesReader(self._members, self._place, self._sources)
        configs = values.configs(self._configs)
        parameters = values.parameters(self._known)
        self._faults += values.faults
        description = FlowDescription(
            name=self._class.__name__,
            file=self._file,
            start=start,
            end=end,
            nodes=tuple(self._node(name, mark, end) for name, mark in self._marks.items()),
            parameters=parameters,
            configs=configs,
            constants=tuple(self._constants),
            policies=self._flow_policies(),
            doc=inspect.cleandoc(self._class.__doc__ or ""),
        )
        place = self._sources.place_of_class(self._class)
        graph_faults = check(
            description,
            place=place,
            calls=self._calls,
            unread=self._unread,
            unclear=self._unclear,
        )
        return description, self._faults + graph_faults

    def _fault(self, rule: str, message: str, hint: str, *, place: Place | None) -> None:
        self._faults.append(Fault(rule, message, hint, place=place))

    def _doubt(self, name: str) -> None:
        """Note a step that may be none, or hand over otherwise than it says."""
        self._unread.add(name)
        self._unclear.add(name)

    def _place(self, name: str) -> Place | None:
        member = self._members[name]
        function = _function(member.value)
        if function is not None:
            return self._sources.place_of_function(function)
        return self._sources.place_of_attribute(member.owner, name)

    def _role(self, role: str) -> str:
        """Return the step that is marked as start or end, or else the one of that name."""
        marked = [name for name, mark in self._marks.items() if getattr(mark, role)]
        for name in marked[1:]:
            self._fault(
                f"{role}-twice",
                f"step `{name}` is marked as the {role}, and so is `{marked[0]}`",
                f"leave `{role}=True` on one of them",
                place=self._place(name),
            )
            # What follows from the wrong mark is not told as well.
            self._doubt(name)
        return marked[0] if marked else role if role in self._marks else ""

    def _check_members(self) -> None:
        for name, member in self._members.items():
            is_step = name in self._marks
            overrides = step_mark(member.hides) and isinstance(member.value, FunctionType)
            if unmarked(member.value) or (overrides and not is_step):
                did = "is decorated like" if unmarked(member.value) else "overrides"
                self._fault(
                    "step-unmarked",
                    f"`{name}` {did} a step, but is not marked as one",
                    "add `@step` right above it",
                    place=self._place(name),
                )
                # It is taken for one, or the steps that name it would be at fault as well.
                self._marks[name] = unmarked(member.value) or StepMark()
                self._doubt(name)
            if is_step and (hidden := kind_of_value(member.hides)):
                self._clash(f"step `{name}` hides a {hidden} of a base class", name)
            kind = kind_of_value(member.value)
            if step_mark(member.hides) and kind:
                self._clash(f"{kind} `{name}` hides a step of a base class", name)
            if isinstance(member.value, LateValue) and kind is None:
                self._fault(
                    "config-misplaced",
                    f"`{name}` is `{member.value}`, an expression over configs",
                    "give it to a decorator, or to `default=`; steps read configs by `self`",
                    place=self._place(name),
                )
            if name in RESERVED_NAMES and not is_step:
                kind = kind or "attribute"
                self._faults.append(reserved_name(f"{kind} `{name}`", name, self._place(name)))

    def _clash(self, message: str, name: str) -> None:
        self._fault("name-clash", message, "give one of them another name", place=self._place(name))

    def _flow_policies(self) -> FlowPolicies:
        policies, faults = settled_flow(self._draft.decorators, self._known)
        place = self._sources.place_of_class(self._class)
        for one in faults:
            at = self._sources.place(*one.at) if one.at else place
            self._fault(one.rule, f"{one.message} (flow)", one.hint, place=at)
        return policies

    def _node(self, name: str, mark: StepMark, end: str) -> Node:
        function = _function(self._members[name].value)
        source = self._source(name, function)
        place = self._place(name) or Place(self._file, 1)
        policies = self._settle(name, mark, source, place=place)
        if source is None:
            self._doubt(name)
            return Node(name=name, kind=Kind.LINEAR, place=place, policies=policies)
        hand_over = self._hand_over(name, source, place)
        assert function is not None
        wrappers = self._wrappers.get(name, ())
        code = self._scope.read(function, source, wrappers)
        kind = hand_over.kind if hand_over else Kind.END if name == end else Kind.LINEAR
        return Node(
            name=name,
            kind=kind,
            place=place,
            targets=hand_over.targets if hand_over else (),
            is_join=self._is_join(name, source, place),
            foreach=hand_over.foreach if hand_over else None,
            num_parallel=hand_over.num_parallel if hand_over else None,
            condition=hand_over.condition if hand_over else None,
            cases=hand_over.cases if hand_over else (),
            policies=policies,
            doc=ast.get_docstring(source) or "",
            code=code.digest,
            constants=tuple(sorted(self._stored & set(code.reach.names))),
            reach=code.reach,
            info=msgspec.json.encode(mark.info).decode() if mark.info is not None else "",
        )

    def _source(self, name: str, function: Callable[..., Any] | None) -> FunctionSource | None:
        """Return the definition of a step, if it is one that can be read."""
        place = self._place(name)
        if function is None:
            kind = type(self._members[name].value).__name__
            self._fault(
                "step-kind",
                f"step `{name}` is a `{kind}`, not a plain method",
                f"write `@step` above `def {name}(self)`, and nothing that replaces the method",
                place=place,
            )
            return None
        source = self._sources.function(function)
        if function.__name__ != name or (source is not None and source.name != name):
            self._fault(
                "step-renamed",
                f"step `{name}` is the function `{function.__name__}`: it is wrapped by a "
                "decorator, or assigned under another name",
                "add `@functools.wraps(function)` in that decorator, or define the step itself",
                place=place,
            )
            return None
        if source is None:
            self._fault(
                "source-missing",
                f"the source of step `{name}` cannot be read",
                "define it with `def` in a file that has not changed since it was imported",
                place=place,
            )
            return None
        if inspect.iscoroutinefunction(function) or _yields(source):
            kind = "a coroutine" if inspect.iscoroutinefunction(function) else "a generator"
            self._fault(
                "step-kind",
                f"step `{name}` is {kind}, not a plain method",
                "take out `async`" if kind == "a coroutine" else "take out `yield`",
                place=place,
            )
        return source

    def _settle(
        self, name: str, mark: StepMark, source: FunctionSource | None, *, place: Place
    ) -> Policies:
        """Return the policies of a step, and note what is wrong with its decorators."""
        policies, faults = mark.settled(self._known)
        for fault in faults:
            line = _line_of_decorator(source, fault.decorator) or place.line
            at = self._sources.place(*fault.at) if fault.at else Place(place.file, line)
            self._fault(fault.rule, f"{fault.message} (step `{name}`)", fault.hint, place=at)
        names = tuple(one.full_name for one in self._wrappers.get(name, ()))
        return replace(policies, wrappers=names) if names else policies

    def _check_artifacts(self) -> None:
        """Find artifacts that would hide a step, or what FlowSpec needs itself."""
        for name, member in self._members.items():
            function = _function(member.value)
            source = self._sources.function(function) if function else None
            if function is None or source is None:
                continue
            kind = "step" if name in self._marks else "method"
            for artifact, line in assignments(source):
                place = self._sources.place(function.__code__.co_filename, line)
                if artifact in RESERVED_NAMES:
                    what = f"{kind} `{name}` sets the artifact `{artifact}`, which"
                    self._faults.append(reserved_name(what, artifact, place))
                elif artifact in self._marks:
                    self._fault(
                        "name-clash",
                        f"{kind} `{name}` sets the artifact `{artifact}`, which is a step",
                        "give the artifact another name",
                        place=place,
                    )

    def _hand_over(self, name: str, source: FunctionSource, place: Place) -> HandOver | None:
        reader = HandOverReader(name, source, file=place.file)
        hand_over = reader.read()
        self._faults += reader.faults
        if reader.faults:
            self._unread.add(name)
        if hand_over is not None:
            self._calls[name] = hand_over.place
        return hand_over

    def _is_join(self, name: str, source: FunctionSource, place: Place) -> bool:
        arguments = [*source.args.posonlyargs, *source.args.args]
        more = source.args.vararg or source.args.kwarg or source.args.kwonlyargs
        if len(arguments) not in (1, 2) or more:
            self._fault(
                "step-arguments",
                f"step `{name}` takes other arguments than `self`, or `self` and `inputs`",
                f"write `def {name}(self)`, or `def {name}(self, inputs)` for a join",
                place=place,
            )
            self._unclear.add(name)
        return len(arguments) == 2


def _function(member: object) -> FunctionType | None:
    """Return the function behind a member, through decorators that say what they wrap."""
    if not isinstance(member, FunctionType):
        return None
    inner = inspect.unwrap(member)
    return inner if isinstance(inner, FunctionType) else None


def _yields(source: FunctionSource) -> bool:
    left: list[ast.AST] = list(source.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, FunctionSource | ast.Lambda | ast.ClassDef):
            left.extend(ast.iter_child_nodes(node))
    return False


def _line_of_decorator(source: FunctionSource | None, decorator: str) -> int | None:
    """Return the line of a decorator; of the upper one, if it is there twice."""
    for node in source.decorator_list if source else []:
        call = node.func if isinstance(node, ast.Call) else node
        if decorator in (getattr(call, "id", None), getattr(call, "attr", None)):
            return node.lineno
    return None
