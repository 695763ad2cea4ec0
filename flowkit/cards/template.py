"""Templates: what makes a whole card of a task, and where templates are found."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

from flowkit.errors import FlowInvalid, FlowkitError, NotFound, UsageError
from flowkit.store import load_plugin

GROUP = "flowkit.cards"
"""The entry points that provide templates, by the name that `@card(type=...)` gives."""


class CardTemplate:
    """Makes a card of a task. Subclasses say what it looks like in `render`.

    Args:
        options: the `options` of `@card`.
        components: what the step appended to the card.
        graph: the flow's steps, by name, as plain data.
        flow: the flow, with the step's artifacts, where the step has just run; else None.
    """

    type: ClassVar[str | None] = None
    """What `@card(type=...)` calls it."""
    ALLOW_USER_COMPONENTS: ClassVar[bool] = False
    """Whether a step may append components."""
    RUNTIME_UPDATABLE: ClassVar[bool] = False
    """Whether it is rendered while the task runs, too, when `refresh` is called."""
    RELOAD_POLICY_NEVER: ClassVar[str] = "never"
    RELOAD_POLICY_ALWAYS: ClassVar[str] = "always"
    RELOAD_POLICY_ONCHANGE: ClassVar[str] = "onchange"
    RELOAD_POLICY: ClassVar[str] = RELOAD_POLICY_NEVER
    """When a viewer loads a running task's card again: never, at each refresh, or when
    `reload_content_token` gives another text than before."""

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        components: Sequence[object] = (),
        graph: Mapping[str, Any] | None = None,
        flow: Any = None,
    ) -> None:
        self.options = dict(options or {})
        self.components = list(components)
        self.graph, self.flow = graph, flow

    def render(self, task: Any) -> str:
        """Return the card of a task (a `flowkit.Task`) that has ended, as one HTML document."""
        raise FlowInvalid(
            f"card template `{type(self).__name__}` has no `render`",
            hint="write a method `render` that returns an HTML document",
        )

    def render_runtime(self, task: Any, data: Any) -> str:
        """Return the card of a task that runs; `data` is what `refresh` was given."""
        raise FlowInvalid(
            f"card template `{type(self).__name__}` has no `render_runtime`",
            hint="write it, or leave `RUNTIME_UPDATABLE` False",
        )

    def refresh(self, task: Any, data: Any) -> Any:
        """Return data, as JSON, that a viewer is given with the card of a running task."""
        return data

    def reload_content_token(self, task: Any, data: Any) -> str:
        """Return a text; another one than before makes a viewer load the card again."""
        return "content-token"


MetaflowCard = CardTemplate
"""The name that Metaflow gives it."""


def find_template(name: str) -> type[CardTemplate]:
    """Return the template of a type: built in, of an installed package, or `module:Class`.

    Raises:
        NotFound: there is none.
        PluginBroken: the package that has it cannot be loaded.
    """
    if name in ("default", "blank"):
        from flowkit.cards.default import BlankCard, DefaultCard

        return DefaultCard if name == "default" else BlankCard
    found = _named_class(name) if ":" in name else load_plugin(GROUP, name, known=_BUILT_IN)
    if found is None:
        raise NotFound(
            f"there is no card of type `{name}`",
            hint="use `default`, `blank`, the type of an installed package, or `module:Class`",
        )
    if not callable(getattr(found, "render", None)):
        raise UsageError(f"`{name}` is no card: it has no `render`", hint="subclass `CardTemplate`")
    template: Any = found
    return template  # type: ignore[no-any-return]


_BUILT_IN = ("blank", "default")


def _named_class(name: str) -> object | None:
    module, _, attribute = name.partition(":")
    try:
        # Modules of the flow's own project: their folder is on the path where steps run.
        loaded = sys.modules.get(module) or import_module(module)
    except FlowkitError:
        raise
    except Exception as error:  # importing runs code of users
        raise NotFound(
            f"the module `{module}` of card `{name}` cannot be imported: {error}",
            hint="name it as the flow file would import it",
        ) from error
    return getattr(loaded, attribute, None)
