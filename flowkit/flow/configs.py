"""The values of a flow's configs: chosen among what was given, parsed and typed, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from flowkit.errors import FlowkitError, UsageError
from flowkit.flow.config_field import ConfigDeclaration, configs_of
from flowkit.flow.config_parsing import parse
from flowkit.flow.config_value import ConfigValue, config_json, frozen, read_config_json, thawed
from flowkit.flow.late import LateFailed, OnDemand, evaluate
from flowkit.flow.parameter_field import ParameterContext, ReadFile, folded
from flowkit.flow.parameter_types import UserCallFailed, call_user, structured
from flowkit.values import LoadOptions

FILES_VARIABLE = "FLOWKIT_FLOW_CONFIG"
VALUES_VARIABLE = "FLOWKIT_FLOW_CONFIG_VALUE"


class ConfigsRejected(UsageError):
    """Configs cannot be read, are missing or are unknown. `problems` are all that were found."""

    def __init__(self, problems: Sequence[FlowkitError]) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(problems[0].message, hint=problems[0].hint)
            return
        lines = [f"{len(problems)} configs cannot be used"]
        for one in problems:
            lines += [one.message, f"    hint: {one.hint}"]
        super().__init__("\n".join(lines), hint="`--config NAME FILE` gives a config")


class ResolvedConfig(Struct, frozen=True):
    """A config that was read: what steps see, and the JSON that it is made of anew elsewhere."""

    name: str
    attribute: str
    value: Any = None
    json: str | None = None


class _Given(Struct, frozen=True):
    """What one source gives a config: the path of a file, text for its parser, or a value."""

    kind: Literal["file", "text", "value"]
    given: Any
    source: str


def resolve_configs(
    flow_class: type,
    options: LoadOptions,
    *,
    context: ParameterContext,
    environment: Mapping[str, str],
    read_file: ReadFile,
) -> dict[str, ResolvedConfig]:
    """Return the configs of a flow by attribute: kept, given, or by environment or default.

    `read_file` reads files; it resolves relative paths. Parsers, and functions that compute
    defaults, are called once, and none for a config that `options` keeps.

    Raises:
        ConfigsRejected: configs that cannot be read, or are missing or unknown; all of them.
    """
    declared = configs_of(flow_class)
    if not declared and not options.config_files and not options.config_values:
        # What the environment says may be meant for another flow.
        return {}
    reader = _ConfigReader(declared, options, context, read_file)
    return reader.read(environment)


def values_of(configs: Iterable[ResolvedConfig]) -> dict[str, Any]:
    """Return the values of configs by name and by attribute, for expressions."""
    known = list(configs)
    return {one.name: one.value for one in known} | {one.attribute: one.value for one in known}


class _ConfigReader(OnDemand):
    """Reads the configs of one flow; as a mapping, one whenever an expression asks for it."""

    def __init__(
        self,
        declared: Mapping[str, ConfigDeclaration],
        options: LoadOptions,
        context: ParameterContext,
        read_file: ReadFile,
    ) -> None:
        self._declared, self._options = declared, options
        self._context, self._read_file = context, read_file
        self._attributes = {one.name: attribute for attribute, one in declared.items()}
        self._attributes |= {attribute: attribute for attribute in declared}
        self._given: dict[str, _Given] = {}
        self._read: dict[str, ResolvedConfig] = {}
        self._open: list[str] = []

    def read(self, environment: Mapping[str, str]) -> dict[str, ResolvedConfig]:
        if problems := self._gather(environment):
            raise ConfigsRejected(problems)
        for attribute in self._declared:
            try:
                self._resolve(attribute)
            except FlowkitError as error:
                problems.append(error)
        if problems:
            unique = {one.message: one for one in problems}
            raise ConfigsRejected(list(unique.values()))
        return {attribute: self._read[attribute] for attribute in self._declared}

    def __getitem__(self, name: str) -> Any:
        return self._resolve(self._attributes[name]).value

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)

    @property
    def read_so_far(self) -> dict[str, Any]:
        return values_of(self._read.values())

    def _gather(self, environment: Mapping[str, str]) -> list[FlowkitError]:
        """Note what is given, the strongest source last; return what is wrong with it."""
        problems: list[FlowkitError] = []
        from_environment: dict[str, _Given] = {}
        for variable in (FILES_VARIABLE, VALUES_VARIABLE):
            try:
                members = _members(variable, environment.get(variable))
            except UsageError as error:
                problems.append(error)
                continue
            problems += self._take(from_environment, members)
        from_options: dict[str, _Given] = {}
        problems += self._take(
            from_options,
            [
                *(
                    (name, _Given("file", path, f"`--config {name}`"))
                    for name, path in self._options.config_files.items()
                ),
                *(
                    (name, _Given("text", text, f"`--config-value {name}`"))
                    for name, text in self._options.config_values.items()
                ),
            ],
        )
        self._given = from_environment | from_options
        return problems

    def _take(
        self, into: dict[str, _Given], members: Sequence[tuple[str, _Given]]
    ) -> list[FlowkitError]:
        problems: list[FlowkitError] = []
        known = {folded(one.name): attribute for attribute, one in self._declared.items()}
        for name, given in members:
            attribute = known.get(folded(name))
            if attribute is None:
                problems.append(self._unknown(name, given.source))
            elif attribute in into:
                problems.append(
                    UsageError(
                        f"config `{name}` is given by {into[attribute].source} and by "
                        f"{given.source}",
                        hint="give either a file or a value",
                    )
                )
            else:
                into[attribute] = given
        return problems

    def _unknown(self, name: str, source: str) -> UsageError:
        known = [one.name for one in self._declared.values()]
        near = get_close_matches(folded(name), map(folded, known), n=1)
        names = ", ".join(f"`{one}`" for one in known)
        otherwise = f"its configs are {names}" if known else "it has no configs"
        return UsageError(
            f"the flow has no config `{name}`, which {source} gives",
            hint=f"did you mean `{near[0]}`?" if near else otherwise,
        )

    def _resolve(self, attribute: str) -> ResolvedConfig:
        if attribute in self._read:
            return self._read[attribute]
        declaration = self._declared[attribute]
        if attribute in self._open:
            way = " -> ".join(f"`{self._declared[one].name}`" for one in [*self._open, attribute])
            raise UsageError(
                f"configs wait for one another: {way}",
                hint="let one of them have a default without the others",
            )
        self._open.append(attribute)
        try:
            resolved = self._resolved(declaration)
        finally:
            self._open.pop()
        self._read[attribute] = resolved
        return resolved

    def _resolved(self, declaration: ConfigDeclaration) -> ResolvedConfig:
        name, attribute = declaration.name, declaration.attribute
        if name in self._options.kept:
            kept = self._options.kept[name]
            if kept is None:
                return ResolvedConfig(name, attribute)
            return self._finished(declaration, kept, "the earlier run")
        given = self._given.get(attribute)
        if given is None:
            parsed, source = self._default(declaration)
        else:
            parsed, source = self._parsed(declaration, given), given.source
        if parsed is None:
            if declaration.is_required:
                raise UsageError(
                    f"config `{name}` is missing",
                    hint=f"give it a file, `--config {name} FILE`, "
                    f"or a value, `--config-value {name} '{{\"key\": 1}}'`",
                )
            return ResolvedConfig(name, attribute)
        try:
            written = config_json(parsed)
        except ValueError as error:
            raise UsageError(
                f"config `{name}`, from {source}, has {error}",
                hint="let its parser return dicts, lists, text, numbers, truth values and dates",
            ) from error
        return self._finished(declaration, written, source)

    def _finished(
        self, declaration: ConfigDeclaration, written: str, source: str
    ) -> ResolvedConfig:
        """Make the value of its JSON, so that it is the same in every process."""
        value = read_config_json(written)
        model = declaration.model
        if model is not None:
            try:
                value = structured(model, value)
            except ValueError as error:
                raise UsageError(
                    f"config `{declaration.name}`, from {source}, is no "
                    f"`{model.__name__}`: {error}",
                    hint="correct what is named",
                ) from error
        elif not declaration.is_plain:
            value = frozen(value)
        return ResolvedConfig(declaration.name, declaration.attribute, value, written)

    def _default(self, declaration: ConfigDeclaration) -> tuple[Any, str]:
        """Return what the declaration itself says, parsed; None if nothing is there."""
        name = declaration.name
        path = self._computed(declaration, declaration.default)
        if path is not None:
            given = _Given("file", str(path), "its default file")
            try:
                return self._parsed(declaration, given), f"`{path}`"
            except UsageError as error:
                is_absent = isinstance(error.__cause__, FileNotFoundError)
                if not is_absent or (declaration.is_required and declaration.default_value is None):
                    raise
        value = self._computed(declaration, declaration.default_value)
        kind: Literal["text", "value"] = "text" if isinstance(value, str) else "value"
        return self._parsed(
            declaration, _Given(kind, value, "its default")
        ), f"the default of `{name}`"

    def _computed(self, declaration: ConfigDeclaration, default: Any) -> Any:
        try:
            value = evaluate(default, self)
        except LateFailed as error:
            raise UsageError(
                f"{error.file}:{error.line}: {error.message} (config `{declaration.name}`)",
                hint=error.hint,
            ) from error
        if not callable(value):
            return value
        known = ConfigValue({one.name: one.value for one in self._read.values()})
        context = replace(self._context, parameter_name=declaration.name, configs=known)
        try:
            return call_user(value, context)
        except UserCallFailed as error:
            raise UsageError(
                f"the default of config `{declaration.name}` raised {error}",
                hint=f"mend the function, or give a file: `--config {declaration.name} FILE`",
            ) from error

    def _parsed(self, declaration: ConfigDeclaration, given: _Given) -> Any:
        if given.kind == "value":
            return thawed(given.given)
        text, where = given.given, given.source
        if given.kind == "file":
            where = f"`{given.given}`"
            text = self._text(declaration, given)
        return parse(declaration, text, where)

    def _text(self, declaration: ConfigDeclaration, given: _Given) -> str:
        try:
            return self._read_file(given.given).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise UsageError(
                f"file `{given.given}` of config `{declaration.name}` cannot be read: {reason}",
                hint=f"give the path of a readable file: `--config {declaration.name} FILE`",
            ) from error


def _members(variable: str, text: str | None) -> list[tuple[str, _Given]]:
    """Read a variable that holds a JSON object of configs by name. Raises UsageError."""
    import json

    if not text:
        return []
    is_files = variable == FILES_VARIABLE
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or (
        is_files and not all(isinstance(one, str) for one in members.values())
    ):
        held = "names and files" if is_files else "names and values"
        raise UsageError(
            f"environment {variable} is no JSON object of {held}",
            hint=f'write it as in `{variable}=\'{{"config": '
            + ('"config.json"}' if is_files else '{"key": 1}}')
            + "'`",
        )
    source = f"environment {variable}"
    if is_files:
        return [(name, _Given("file", one, source)) for name, one in members.items()]
    return [
        (name, _Given("text" if isinstance(one, str) else "value", one, source))
        for name, one in members.items()
    ]
