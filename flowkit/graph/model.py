"""What a flow is, as data: its nodes, and the description of the whole."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from flowkit.graph.policies import NO_FLOW_POLICIES, NO_POLICIES, FlowPolicies, Policies


class Kind(StrEnum):
    """How a step hands over."""

    LINEAR = "linear"
    SPLIT = "split"
    FOREACH = "foreach"
    GANG = "gang"
    SWITCH = "switch"
    END = "end"

    @property
    def fans_out(self) -> bool:
        """Whether it leads to many tasks of one step, whose keys have one index more."""
        return self in (Kind.FOREACH, Kind.GANG)

    @property
    def opens(self) -> bool:
        """Whether it opens a split, which a join has to close."""
        return self in (Kind.SPLIT, Kind.FOREACH, Kind.GANG)


class Place(Struct, frozen=True):
    """A place in the user's code, printed as `file:line`."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Case(Struct, frozen=True):
    """One arm of a switch: the condition's value, as text, and the step it leads to."""

    value: str
    target: str


class Reach(Struct, frozen=True, kw_only=True):
    """What a step's code can see, as far as its source shows.

    `names`: what it reads on `self`, and a join on anything; `current` if it asks that. `is_open`:
    it may read more than these, for `self` is handed to code that is not followed. `packages`:
    what it uses of what is installed. `pieces`: the code that `Node.code` covers, each by its name
    with a short digest. `untold`: what of the code cannot be compared, such as an object that only
    a decorator holds; a step with any is not reused.
    """

    names: tuple[str, ...] = ()
    is_open: bool = True
    packages: tuple[str, ...] = ()
    pieces: tuple[tuple[str, str], ...] = ()
    untold: tuple[str, ...] = ()


class Node(Struct, frozen=True, kw_only=True):
    """A step: how it hands over, and its policies.

    `targets` are the steps named in `self.next`, in order, each once. `is_join`: the method takes
    `inputs`. `num_parallel` is how a gang's size is written, such as `4` or `self.nodes`. `code` is
    a digest of the step's own syntax tree, equal for equal code whatever its comments and layout;
    `constants` are the flow's constants and configs that it names. `info` is its `node_info`, as
    JSON.
    """

    name: str
    kind: Kind
    place: Place
    targets: tuple[str, ...] = ()
    is_join: bool = False
    foreach: str | None = None
    num_parallel: str | None = None
    condition: str | None = None
    cases: tuple[Case, ...] = ()
    policies: Policies = NO_POLICIES
    doc: str = ""
    code: str = ""
    constants: tuple[str, ...] = ()
    info: str = ""
    reach: Reach = Reach()


class ParameterDescription(Struct, frozen=True, kw_only=True):
    """A parameter as a command line needs it.

    `name` is the option's, `attribute` the artifact's. `default` is text for people; None means
    that there is none, or that it is computed when a run starts (`computed`).
    """

    name: str
    attribute: str
    type_name: str
    help: str = ""
    required: bool = False
    default: str | None = None
    computed: bool = False
    choices: tuple[str, ...] = ()
    multiple: bool = False
    separator: str | None = None


class ConfigDescription(Struct, frozen=True, kw_only=True):
    """A config and its value, which was known before the flow was read.

    `name` is what a command line calls it, `attribute` the artifact. `value` is JSON text; None
    means that there is none.
    """

    name: str
    attribute: str
    value: str | None = None
    help: str = ""
    required: bool = False


class FlowDescription(Struct, frozen=True, kw_only=True):
    """A flow as data: what a driver knows of code that it never imports."""

    name: str
    file: str
    start: str
    end: str
    nodes: tuple[Node, ...]
    parameters: tuple[ParameterDescription, ...] = ()
    configs: tuple[ConfigDescription, ...] = ()
    constants: tuple[str, ...] = ()
    policies: FlowPolicies = NO_FLOW_POLICIES
    doc: str = ""
    unsafe_to_fork: str | None = None
    """Why children must not be forked from the process that imported the flow, or None."""
    python: str = ""
    """The version of Python that imported the flow."""
    versions: tuple[tuple[str, str], ...] = ()
    """The packages that its steps use, with their versions."""
    sources: str = ""
    """A digest of all code of its project that was imported with it."""

    @property
    def config_values(self) -> dict[str, str | None]:
        """The values of configs as JSON, by name: what reads the flow again as it was read."""
        return {one.name: one.value for one in self.configs}
