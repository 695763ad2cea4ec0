"""Policies: what decorators ask for, as scheduler, executors and compilers read it."""

from __future__ import annotations

from msgspec import Struct


class Retry(Struct, frozen=True):
    """Run a failed task again, `times` times at most, `delay_s` seconds after each failure."""

    times: int = 3
    delay_s: float = 120.0


class Catch(Struct, frozen=True):
    """Go on after the last failure; artifact `var` then holds what was raised."""

    var: str | None = None
    print_exception: bool = True


class Timeout(Struct, frozen=True):
    """Stop an attempt that takes longer than `limit_s` seconds."""

    limit_s: float


class Resources(Struct, frozen=True):
    """What a task needs. `cpu` in cores, memory and disk sizes in MB, `gpu` in devices."""

    cpu: float = 1.0
    memory_mb: int = 4096
    gpu: int = 0
    disk_mb: int | None = None
    shared_memory_mb: int | None = None


class Backend(Struct, frozen=True):
    """Where a step asks to run, or which environment it asks for, and how.

    `name` is the decorator's; `options` are JSON, by name, as they were given.
    """

    name: str
    options: tuple[tuple[str, str], ...] = ()


class CardPolicy(Struct, frozen=True, kw_only=True):
    """Make a report about each task. `options` are JSON, by name, as they were given."""

    type: str = "default"
    id: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 45.0
    save_errors: bool = True
    customize: bool = False
    refresh_interval_s: float = 5.0


class SecretSource(Struct, frozen=True):
    """Where secrets of a step are kept: a provider's name, and what it is asked for.

    `type` is empty for the provider that the settings name; `options` are JSON, by name. As a
    policy, an inline source holds the names of its variables and no values.
    """

    type: str
    id: str
    options: tuple[tuple[str, str], ...] = ()
    role: str | None = None


class Secrets(Struct, frozen=True):
    """Set secrets as environment variables; in place of what is set there, if that is allowed."""

    sources: tuple[SecretSource, ...] = ()
    allow_override: bool = False


class Policies(Struct, frozen=True, kw_only=True):
    """What the decorators of a step ask for.

    `concurrency`: the most tasks of the step at once; None is no limit of its own.
    `variables`: environment variables of the step. `memo`: whether tasks of any earlier run may
    stand for the step's; None leaves it to the command line. `parallel`: whether its tasks are
    nodes of a gang. `wrappers`: full names of the user's
    own decorators that run code around it, outermost first.
    """

    retry: Retry | None = None
    catch: Catch | None = None
    timeout: Timeout | None = None
    resources: Resources | None = None
    concurrency: int | None = None
    variables: tuple[tuple[str, str], ...] = ()
    memo: bool | None = None
    parallel: bool = False
    backends: tuple[Backend, ...] = ()
    wrappers: tuple[str, ...] = ()
    cards: tuple[CardPolicy, ...] = ()
    secrets: Secrets | None = None


def is_branch_name(name: str) -> bool:
    """Say whether a branch of a project can be called so.

    >>> is_branch_name("new.idea-2"), is_branch_name("a/b")
    (True, False)
    """
    return 0 < len(name) <= 128 and all(
        letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in name
    )


BRANCH_NAMES = "name it with letters, digits, `_`, `-` and `.`, 128 of them at most"


class Project(Struct, frozen=True):
    """The project that a flow belongs to, and where in it.

    `branch` and `production` are what the decorator says; a command line may say otherwise.
    """

    name: str
    branch: str | None = None
    production: bool = False


class Schedule(Struct, frozen=True):
    """When a deployed flow starts by itself: a cron expression, in a time zone or in UTC."""

    cron: str
    timezone: str | None = None


class TriggerEvent(Struct, frozen=True):
    """An event that starts a deployed flow; `parameters` are pairs of parameter and its field."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()


class TriggerFlow(Struct, frozen=True):
    """A flow whose end starts a deployed flow; in a project's branch, if they are given."""

    flow: str
    project: str | None = None
    branch: str | None = None


class Trigger(Struct, frozen=True):
    """What starts a deployed flow: all of these events, or all of these flows' ends.

    `options` are JSON, by name, as they were given.
    """

    events: tuple[TriggerEvent, ...] = ()
    flows: tuple[TriggerFlow, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


class ExitHooks(Struct, frozen=True):
    """Names of the functions that are called after a run, by how it ended."""

    on_success: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()


class FlowPolicies(Struct, frozen=True, kw_only=True):
    """What the decorators of a flow ask for. `backends` are environments of all its steps."""

    project: Project | None = None
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    trigger_on_finish: Trigger | None = None
    exit_hooks: ExitHooks | None = None
    backends: tuple[Backend, ...] = ()


NO_POLICIES = Policies()
NO_FLOW_POLICIES = FlowPolicies()
