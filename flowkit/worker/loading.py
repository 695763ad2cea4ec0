"""Importing a user's flow file, and reading the flow in it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from msgspec import Struct
from msgspec.structs import replace

from flowkit.errors import FlowInvalid, FlowkitError, NotFound, UsageError
from flowkit.flow import (
    Applied,
    FlowSpec,
    ParameterContext,
    ResolvedConfig,
    choose_flow,
    describe_flow,
    draft_flow,
    find_flows,
    importing,
    resolve_configs,
    values_of,
)
from flowkit.graph import NO_POLICIES, FlowDescription, Kind, Node, Secrets
from flowkit.values import Failure, LoadOptions
from flowkit.worker.failure import failure_of
from flowkit.worker.files import file_reader, print_line
from flowkit.worker.imports import ExactLoader, project_imports
from flowkit.worker.packages import versions_of

DEFAULT_OPTIONS = LoadOptions()


class FlowNotImportable(FlowInvalid):
    """Importing the flow file raised; `traceback` is the way through the user's code."""

    def __init__(self, file: str, failure: Failure) -> None:
        super().__init__(
            f"{failure.where or file}: importing the flow raised {failure.type_name}: "
            f"{failure.message}",
            hint=f"`python {os.path.basename(file)}` shows the same; mend the file and try again",
        )
        self.file, self.failure = file, failure
        self.traceback = failure.traceback


class LoadedFlow(Struct, frozen=True):
    """A flow in this process: its class, and what it is as data."""

    flow_class: type[FlowSpec]
    description: FlowDescription
    nodes: Mapping[str, Node]
    configs: Mapping[str, ResolvedConfig]
    """The configs and their values, by attribute."""
    decorators: tuple[Applied, ...]
    """The decorators of the flow as a whole, outermost first."""
    wrappers: Mapping[str, tuple[Applied, ...]]
    """Decorators of the user's own that run code around a step, by step, outermost first."""
    secrets: Mapping[str, Secrets]
    """What `@secrets` asks for, by step, with values that stand in the code; never stored."""

    @classmethod
    def read(
        cls,
        flow_class: type[FlowSpec],
        file: str,
        configs: Mapping[str, ResolvedConfig],
        specs: Sequence[str] = (),
        kinds: Mapping[str, Kind] | None = None,
    ) -> LoadedFlow:
        """Read a flow's class. Raises what `draft_flow` and `describe_flow` do."""
        draft = draft_flow(flow_class, specs, kinds, configs=values_of(configs.values()))
        description = describe_flow(flow_class, file=file, configs=configs, draft=draft)
        packages = {name for node in description.nodes for name in node.reach.packages}
        description = replace(
            description,
            python=platform.python_version(),
            versions=tuple(versions_of(packages).items()),
            sources=project_imports.describe(os.path.dirname(file)),
        )
        nodes = {node.name: node for node in description.nodes}
        return cls(
            flow_class=flow_class,
            description=description,
            nodes=nodes,
            configs=configs,
            decorators=tuple(draft.decorators),
            wrappers=draft.wrappers(),
            secrets=draft.secrets(),
        )

    def bare(self) -> LoadedFlow:
        """Return the same flow without the decorators of its steps."""
        nodes = {name: replace(node, policies=NO_POLICIES) for name, node in self.nodes.items()}
        return replace(self, nodes=nodes, wrappers={}, secrets={})

    def with_specs(self, specs: Sequence[str]) -> LoadedFlow:
        """Return the same flow with what `--with` options put on its steps.

        Raises:
            UsageError: a spec cannot be used.
            FlowInvalid: a mutator raised, or the flow has faults now.
        """
        if not specs:
            return self
        kinds = {name: node.kind for name, node in self.nodes.items()}
        return LoadedFlow.read(self.flow_class, self.description.file, self.configs, specs, kinds)


def load_flow(file: str, name: str | None, options: LoadOptions = DEFAULT_OPTIONS) -> LoadedFlow:
    """Import a flow file and read the flow named `name`, or the only one in it.

    Raises:
        NotFound: no such file.
        FlowNotImportable: importing it raised.
        FlowInvalid: the flow has faults.
        UsageError: it has several flows, none, or not the one named; or a config cannot be read,
            or a `--with` option.
    """
    return read_flow(import_flow(file, name), file, options)


def import_flow(file: str, name: str | None) -> type[FlowSpec]:
    """Import a flow file and return the flow named `name`, or the only one in it.

    The module is named after its file, whichever process imports it, so that a pickled object of
    a class in it loads in every task.

    Raises:
        NotFound: no such file.
        FlowNotImportable: importing it raised.
        UsageError: it has several flows, none, or not the one named.
    """
    return choose_flow(find_flows(_import(file)), name, file=file)


def read_flow(flow_class: type[FlowSpec], file: str, options: LoadOptions) -> LoadedFlow:
    """Read a flow that was imported: first its configs, then all that may depend on them.

    Raises:
        FlowInvalid: the flow has faults.
        UsageError: a config cannot be read, is missing or unknown.
    """
    context = ParameterContext(
        flow_name=flow_class.__name__,
        user_name=options.user,
        ds_type=options.ds_type,
        logger=print_line,
    )
    configs = resolve_configs(
        flow_class,
        options,
        context=context,
        environment=os.environ,
        read_file=file_reader(file),
    )
    return LoadedFlow.read(flow_class, file, configs).with_specs(options.specs)


def module_name(file: str) -> str:
    """Return the name that a flow file is imported under.

    >>> module_name("/project/train.py"), module_name("/project/random.py")
    ('train', 'flow_random')
    """
    stem = os.path.splitext(os.path.basename(file))[0]
    taken = stem in sys.stdlib_module_names or stem == "flowkit" or not stem.isidentifier()
    return f"flow_{''.join(c if c.isalnum() else '_' for c in stem)}" if taken else stem


def _import(file: str) -> ModuleType:
    name = module_name(file)
    already = sys.modules.get(name)
    if already is not None and getattr(already, "__file__", None) == file:
        return already
    folder = os.path.dirname(file)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    project_imports.enter(folder)
    loader = ExactLoader(name, file) if file.endswith(".py") else None
    found = importlib.util.spec_from_file_location(name, file, loader=loader)
    if found is None or found.loader is None or not os.path.isfile(file):
        raise NotFound(f"`{file}` is no Python file", hint="name a flow file, such as `flow.py`")
    if not os.access(file, os.R_OK):
        raise UsageError(
            f"`{file}` cannot be read: permission is denied",
            hint="give this user the right to read it: `chmod +r` on the file",
        )
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with importing(file):
            found.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise _syntax_fault(file, error) from error
    except FlowkitError:
        del sys.modules[name]
        raise
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise FlowNotImportable(file, failure_of(error)) from error
    return module


def _syntax_fault(file: str, error: SyntaxError) -> FlowInvalid:
    """Say where a flow file, or a module that it imports, is no Python."""
    where = error.filename or file
    if error.lineno is not None:
        where += f":{error.lineno}"
    line = (error.text or "").strip()
    return FlowInvalid(
        f"{where}: syntax error: {error.msg}",
        hint=f"the line reads `{line}`" if line else "open it in an editor, and save it as text",
    )
