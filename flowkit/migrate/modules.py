"""Python: what imports Metaflow, what uses what was imported, and texts that name variables."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from flowkit.migrate.attributes import Use, dotted_uses
from flowkit.migrate.edits import Edit, Findings, Lines, Migration
from flowkit.migrate.offers import SOURCE, TARGET, Offers, counterpart
from flowkit.migrate.variables import find_variables

_GAP = r"(?:\s|\\\r?\n)"
_FROM = re.compile(rf"from{_GAP}+(metaflow(?:{_GAP}*\.{_GAP}*\w+)*)")
_IMPORT = re.compile(rf"(metaflow(?:{_GAP}*\.{_GAP}*\w+)*)")
_BY_NAME = frozenset({"__import__", "find_spec", "import_module", "importorskip"})
_MAPPINGS = frozenset({"dict", "update"})
"""Calls whose keywords are keys: `os.environ.update(METAFLOW_USER="ada")`."""
_DOTTED = re.compile(r"metaflow(?:\.\w+)+")


def migrate_python(text: str, offers: Offers) -> Migration:
    """Turn a module of Metaflow's into one of flowkit's.

    Raises:
        SyntaxError: this Python cannot parse it.
        ValueError: it holds what no source may, such as a zero byte.
    """
    return find_in_python(text, offers).migration(text)


def find_in_python(text: str, offers: Offers) -> Findings:
    """Find what to change in Python code, and what to tell. Raises like `migrate_python`."""
    return _Module(text, parse(text), offers).findings()


def parse(text: str) -> ast.Module:
    """Parse a file, or cells of a notebook, which may wait at the top."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        # `"\d"` in what somebody else wrote is not to be told here.
        warnings.simplefilter("ignore")
        tree: ast.Module = compile(text, "<source>", "exec", flags, dont_inherit=True)
    return tree


@dataclass(frozen=True, slots=True)
class _Root:
    """A name that a module is bound to: `written` in the file, `renamed` afterwards."""

    module: str
    written: str
    renamed: str


class _Module:
    """One module while it is read; every method notes what it finds."""

    def __init__(self, text: str, tree: ast.Module, offers: Offers) -> None:
        self._text = text
        self._tree = tree
        self._offers = offers
        self._lines = Lines(text)
        self._found = Findings()
        self._nodes = tuple(ast.walk(tree))
        # An f-string is looked through whole: until Python 3.12 its parts have no places. What
        # is a name in this file may be one in the f-string too, and is left alone there.
        self._identifiers = frozenset(
            node.id for node in self._nodes if isinstance(node, ast.Name) and node.id.isupper()
        )
        self._in_templates = frozenset(
            id(value)
            for node in self._nodes
            if isinstance(node, ast.JoinedStr)
            for value in node.values
        )
        self._roots: dict[str, _Root] = {}
        self._left: set[str] = set()

    def findings(self) -> Findings:
        """Read everything."""
        uses = tuple(dotted_uses(self._tree))
        kept = self._keeps_name()
        for node in self._nodes:
            match node:
                case ast.Import(names=aliases):
                    for alias in aliases:
                        self._import(alias, kept, uses)
                case ast.ImportFrom(module=str(module), level=0):
                    self._import_from(node, module)
                case ast.Call():
                    self._call(node)
                case ast.Constant(value=str() | bytes()):
                    self._constant(node)
                case ast.JoinedStr():
                    self._variables(node, names=self._identifiers)
        for use in uses:
            self._use(use)
        return self._found

    def _keeps_name(self) -> bool:
        """Say whether `metaflow` must stay the name in this file, though flowkit is behind it.

        That is so if the file binds it to something else as well, or uses `flowkit` already.
        """
        for name, is_import_of in _bound_names(self._nodes):
            if name == SOURCE and is_import_of != SOURCE:
                return True
            if name == TARGET and is_import_of != TARGET:
                return True
        return False

    def _import(self, alias: ast.alias, kept: bool, uses: tuple[Use, ...]) -> None:
        if alias.name == TARGET:
            self._roots[alias.asname or TARGET] = _Root(TARGET, alias.asname or TARGET, "")
        if alias.name.partition(".")[0] != SOURCE:
            return
        written = alias.asname or SOURCE
        target = self._target_of(alias, written, uses)
        if target is None:
            self._left.add(alias.name)
            self._missing(alias.lineno, f"module `{alias.name}`")
            return
        renamed = written if alias.asname or kept else TARGET
        if not alias.asname:
            self._roots[SOURCE] = _Root(SOURCE, SOURCE, renamed)
        elif target == TARGET:
            self._roots[written] = _Root(alias.name, written, renamed)
        start = self._lines.offset(alias.lineno, alias.col_offset)
        span = _IMPORT.match(self._text, start)
        if span is not None:
            suffix = f" as {SOURCE}" if kept and not alias.asname else ""
            self._found.edits.add(Edit(span.start(1), span.end(1), target + suffix))

    def _target_of(self, alias: ast.alias, written: str, uses: tuple[Use, ...]) -> str | None:
        """Return the module to import in place of one of Metaflow's, if there is one."""
        if alias.name == SOURCE:
            return TARGET
        if alias.asname:
            names = {use.parts[0] for use in uses if use.root.id == written and use.parts}
        else:
            below = tuple(alias.name.split(".")[1:])
            depth = len(below)
            names = {
                use.parts[depth]
                for use in uses
                if use.root.id == SOURCE and use.parts[:depth] == below and use.parts[depth:]
            }
        places = {self._offers.place_of(alias.name, name) for name in names}
        return TARGET if places == {TARGET} else counterpart(alias.name)

    def _import_from(self, node: ast.ImportFrom, module: str) -> None:
        names = [alias.name for alias in node.names]
        if module == TARGET:
            self._note_missing(node, names)
            return
        if module.partition(".")[0] != SOURCE:
            return
        places = self._places(module, names)
        targets = set(places.values())
        if targets == {None}:
            for name in names:
                what = f"module `{module}`" if name == "*" else f"`{name}` of `{module}`"
                self._missing(_alias_line(node, name), what)
        elif len(targets) == 1:
            self._replace_module(node, str(targets.pop()))
            if module == SOURCE:
                self._note_missing(node, names)
        else:
            self._split(node, module, places)

    def _places(self, module: str, names: list[str]) -> dict[str, str | None]:
        if module == SOURCE:
            # What flowkit does not have is imported from it all the same: an error there names
            # it, and a file that imports both would be half of each.
            return dict.fromkeys(names, TARGET)
        if names == ["*"]:
            return {"*": counterpart(module)}
        return {name: self._offers.place_of(module, name) for name in names}

    def _replace_module(self, node: ast.ImportFrom, target: str) -> None:
        start = self._lines.offset(node.lineno, node.col_offset)
        if span := _FROM.match(self._text, start):
            self._found.edits.add(Edit(span.start(1), span.end(1), target))

    def _split(self, node: ast.ImportFrom, module: str, places: dict[str, str | None]) -> None:
        """Write an import whose names go to several modules as several imports."""
        start = self._lines.offset(node.lineno, node.col_offset)
        stop = self._lines.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        for name, place in places.items():
            if place is None:
                self._missing(_alias_line(node, name), f"`{name}` of `{module}`")
        if "#" in self._text[start:stop]:
            # A comment belongs to a name, and which is for a person to say.
            text = f"import from `{module}` has names that go to several modules: split it"
            self._found.remark(node.lineno, "differs", text)
            return
        statements = []
        for target in dict.fromkeys(places.values()):
            names = ", ".join(ast.unparse(one) for one in node.names if places[one.name] == target)
            statements.append(f"from {target or module} import {names}")
        self._found.edits.add(Edit(start, stop, self._separator(start, stop).join(statements)))

    def _separator(self, start: int, stop: int) -> str:
        """Return what stands between statements in place of one: a new line where it has one."""
        before = re.split(r"\r\n|\r|\n", self._text[:start])[-1]
        after = re.match(r"[^\r\n]*(\r\n|\r|\n|$)", self._text[stop:])
        if before.strip() or after is None or ";" in after[0]:
            return "; "
        return (after[1] or "\n") + before

    def _note_missing(self, node: ast.ImportFrom, names: list[str]) -> None:
        for name in names:
            if name != "*" and not self._offers.has(name):
                self._missing(_alias_line(node, name), f"`{name}`")
            elif name in self._offers.unbacked:
                text = f"`@{name}` is read and checked, but a flow that has it cannot be run yet"
                self._found.remark(_alias_line(node, name), "missing", text)

    def _use(self, use: Use) -> None:
        root = self._roots.get(use.root.id)
        if root is None:
            return
        line = use.root.lineno
        if root.module == TARGET:
            if use.parts and not self._offers.has(use.parts[0]):
                self._missing(line, f"`{use.parts[0]}`")
            return
        dotted = ".".join([root.module, *use.parts])
        if any(f"{dotted}.".startswith(f"{left}.") for left in self._left):
            return
        depth, place = self._resolved(root.module, use.parts)
        if place is None and use.parts:
            self._missing(line, f"`{dotted.removeprefix(f'{SOURCE}.')}`")
        head = root.renamed + (place or TARGET).removeprefix(TARGET)
        if head != root.written or depth:
            start = self._lines.offset(line, use.root.col_offset)
            stop = self._lines.offset(*use.ends[depth])
            self._found.edits.add(Edit(start, stop, head))

    def _resolved(self, module: str, parts: tuple[str, ...]) -> tuple[int, str | None]:
        """Find the first of the parts that flowkit has, and where; parts before it are modules."""
        fallback = None
        for depth, name in enumerate(parts):
            place = self._offers.place_of(".".join([module, *parts[:depth]]), name)
            if place == TARGET and name not in self._offers.names:
                # A module, which `import flowkit` does not load: what is in it may be in flowkit.
                fallback = fallback or place
            elif place is not None:
                return depth, place
        return 0, fallback

    def _call(self, node: ast.Call) -> None:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for keyword in node.keywords if called in _MAPPINGS else ():
            if keyword.arg is not None:
                start = self._lines.offset(keyword.lineno, keyword.col_offset)
                self._span(start, start + len(keyword.arg))
        match node.args:
            case [ast.Constant(value=str(name), lineno=line), *_] if called in _BY_NAME:
                if name == SOURCE:
                    self._named_in_text(line, name)

    def _constant(self, node: ast.Constant) -> None:
        if id(node) not in self._in_templates:
            self._variables(node)
        if isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            self._named_in_text(node.lineno, node.value)

    def _named_in_text(self, line: int, name: str) -> None:
        text = f"the text `{name}` names a module: change it if something is imported by it"
        self._found.remark(line, "differs", text)

    def _variables(
        self, node: ast.Constant | ast.JoinedStr, *, names: frozenset[str] = frozenset()
    ) -> None:
        start = self._lines.offset(node.lineno, node.col_offset)
        stop = self._lines.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        self._span(start, stop, names)

    def _span(self, start: int, stop: int, names: frozenset[str] = frozenset()) -> None:
        find_variables(
            self._text, self._offers, self._lines, self._found, span=(start, stop), except_for=names
        )

    def _missing(self, line: int, what: str) -> None:
        self._found.remark(line, "missing", f"{what} has no counterpart in flowkit")


def _alias_line(node: ast.ImportFrom, name: str) -> int:
    return next(alias.lineno for alias in node.names if alias.name == name)


def _bound_names(nodes: tuple[ast.AST, ...]) -> Iterator[tuple[str, str | None]]:
    """Yield each name that is bound, and the package if it is bound by importing one as itself."""
    for node in nodes:
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    package = alias.name.partition(".")[0]
                    yield alias.asname or package, None if alias.asname else package
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    yield alias.asname or alias.name, None
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, None
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from ((name, None) for name in names)
            case ast.arg(arg=name):
                yield name, None
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name, None
            case ast.ExceptHandler(name=str(name)):
                yield name, None
