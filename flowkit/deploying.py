"""Handing flows to an orchestrator: what one provides, and where it is looked up.

Orchestrators come from the entry point group `flowkit.deployers`: each is an `Orchestrator` under
a name such as `argo-workflows`. What they return has the shapes that are written here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from flowkit.errors import UsageError
from flowkit.profiles import refuse_profile

if TYPE_CHECKING:
    from flowkit.client import Run

GROUP = "flowkit.deployers"
DEFAULT = "argo-workflows"
"""The orchestrator that is meant where none is named."""

TriggeredStatus = Literal["pending", "running", "succeeded", "failed", "suspended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is to be deployed: a flow's file, and how `Deployer` was told to treat it."""

    flow_file: str
    show_output: bool = True
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the flow as a whole, and those of the orchestrator, by name."""


class TriggeredRun(ABC):
    """A run that an orchestrator was asked for. It may not have begun."""

    @property
    @abstractmethod
    def run(self) -> Run | None:
        """The run, as the client shows it; None until it has begun."""

    @property
    @abstractmethod
    def status(self) -> TriggeredStatus:
        """How the orchestrator says that it stands."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether it goes on."""

    @abstractmethod
    def wait_for_run(self, timeout: float | None = None) -> None:
        """Wait until the run has begun, so many seconds at most. Raises TimeoutError."""

    @abstractmethod
    def wait_for_completion(self, timeout: float | None = None) -> None:
        """Wait until the run has ended, so many seconds at most. Raises TimeoutError."""

    @abstractmethod
    def suspend(self) -> bool:
        """Start no more tasks for now; returns whether that was possible."""

    @abstractmethod
    def unsuspend(self) -> bool:
        """Go on after `suspend`; returns whether that was possible."""

    @abstractmethod
    def terminate(self) -> bool:
        """Stop the run; returns whether that was possible."""


class DeployedFlow(ABC):
    """A flow that an orchestrator has."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the orchestrator calls it."""

    @property
    @abstractmethod
    def production_token(self) -> str | None:
        """What whoever deploys the flow again has to know."""

    @property
    @abstractmethod
    def workflow_template(self) -> Mapping[str, Any]:
        """What the orchestrator was given, as data."""

    @classmethod
    def from_deployment(cls, identifier: str, impl: str = DEFAULT) -> DeployedFlow:
        """Find a deployed flow by the name that an orchestrator has for it. Raises NotFound."""
        return find_orchestrator(impl).from_deployment(identifier)

    @classmethod
    def list_deployed_flows(
        cls, flow_name: str | None = None, impl: str = DEFAULT
    ) -> Iterator[DeployedFlow]:
        """Yield the flows that an orchestrator has, or those that were made of one flow."""
        return find_orchestrator(impl).list_deployed_flows(flow_name)

    @classmethod
    def get_triggered_run(cls, identifier: str, run_id: str, impl: str = DEFAULT) -> TriggeredRun:
        """Find a run of a deployed flow that was asked for earlier. Raises NotFound."""
        return find_orchestrator(impl).get_triggered_run(identifier, run_id)

    @abstractmethod
    def trigger(self, **parameters: Any) -> TriggeredRun:
        """Ask for a run with these parameters."""

    @abstractmethod
    def delete(self) -> bool:
        """Take the flow away from the orchestrator; returns whether it was there."""


class BoundDeployer(Protocol):
    """An orchestrator, ready to deploy one flow."""

    def create(self, **options: Any) -> DeployedFlow:
        """Deploy the flow, or deploy it anew."""


class Orchestrator(Protocol):
    """What an entry point in `flowkit.deployers` names."""

    def bind(self, deployment: Deployment) -> BoundDeployer:
        """Get ready to deploy a flow."""

    def from_deployment(self, identifier: str) -> DeployedFlow:
        """Find a deployed flow by the orchestrator's name for it. Raises NotFound."""

    def list_deployed_flows(self, flow_name: str | None = None) -> Iterator[DeployedFlow]:
        """Yield the flows that it has."""

    def get_triggered_run(self, identifier: str, run_id: str) -> TriggeredRun:
        """Find a run of a deployed flow that was asked for earlier. Raises NotFound."""


class Deployer:
    """Deploys a flow: `Deployer("flow.py").argo_workflows(name="nightly").create()`.

    Every orchestrator that is installed is a method, `-` in its name being `_`. There is none in
    flowkit itself.

    Args:
        flow_file: the flow's file.
        show_output: whether deploying prints what it does.
        profile: there are no profiles; None.
        env: environment variables for deploying, on top of this process's.
        cwd: the folder to deploy from.
        top_opts: options of the flow as a whole.
    """

    def __init__(
        self,
        flow_file: str | Path,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        **top_opts: Any,
    ) -> None:
        refuse_profile(profile)
        self._flow_file, self._shows_output = str(flow_file), show_output
        self._env, self._top = dict(env or {}), top_opts
        self._cwd = str(cwd) if cwd is not None else None

    def __getattr__(self, name: str) -> Callable[..., BoundDeployer]:
        if name.startswith("_"):
            raise AttributeError(f"`Deployer` has no attribute `{name}`")
        orchestrator = find_orchestrator(name.replace("_", "-"))

        def bind(**options: Any) -> BoundDeployer:
            return orchestrator.bind(
                Deployment(
                    flow_file=self._flow_file,
                    show_output=self._shows_output,
                    env=self._env,
                    cwd=self._cwd,
                    options={**self._top, **options},
                )
            )

        return bind


def find_orchestrator(name: str) -> Orchestrator:
    """Load an orchestrator by name.

    Raises:
        UsageError: none of that name is installed.
        PluginBroken: it could not be loaded.
    """
    from flowkit.store import load_plugin

    orchestrator = load_plugin(GROUP, name, known=())
    if orchestrator is None:
        raise UsageError(
            f"no orchestrator named `{name}` is installed",
            hint=f"install a package that provides it as an entry point of `{GROUP}`",
        )
    return cast("Orchestrator", orchestrator)
