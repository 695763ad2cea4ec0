"""What a card is made of: the parent of all components."""

from __future__ import annotations

from typing import Any

from flowkit.cards.markup import Html, tag, text
from flowkit.errors import FlowInvalid, FlowkitError


class CardComponent:
    """A part of a card. Subclasses return what is shown from `render`.

    `Html` is put into the card as it is, any other text is escaped: what comes out of artifacts
    can do no harm. Wrap only text in `Html` that you have written yourself.

    `id` is the name under which `current.card.components` finds it.
    """

    id: str | None = None
    REALTIME_UPDATABLE = False
    """Whether `update` changes it while the task runs."""

    def render(self) -> Any:
        """Return what is shown."""
        raise FlowInvalid(
            f"component `{type(self).__name__}` has no `render`",
            hint="write a method `render` that returns what is shown",
        )

    def update(self, *args: Any, **options: Any) -> None:
        """Change what is shown; a card shows it after its next `refresh`."""
        raise FlowInvalid(
            f"component `{type(self).__name__}` cannot be updated",
            hint="write a method `update`, or append another component",
        )


UserComponent = CardComponent
"""The name that Metaflow gives components which can be updated."""

MetaflowCardComponent = CardComponent
"""The name that Metaflow gives it."""


def rendered(component: object) -> Html:
    """Return a component, or anything else, as HTML; one that raises shows what it raised."""
    try:
        if isinstance(component, CardComponent):
            found = component.render()
        else:
            from flowkit.cards.values import value_html

            found = value_html(component)
        return text(found if isinstance(found, str) else str(found))
    except Exception as error:  # components are code of users
        name = type(component).__name__
        return fault(f"{name} could not be shown", error)


def fault(title: str, error: BaseException) -> Html:
    """Show in a card what went wrong in a part of it."""
    message = error.message if isinstance(error, FlowkitError) else str(error)
    about = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return tag("div", tag("strong", title), tag("pre", about), class_="error", role="note")
