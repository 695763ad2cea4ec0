"""What cards are made of: `from flowkit.cards import Markdown, Table`.

Every name loads on first use. `docs/concepts/cards.md` shows them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.card import (
        Artifact,
        BlankCard,
        Card,
        CardComponent,
        CardContainer,
        CardTemplate,
        DefaultCard,
        Error,
        EventsTimeline,
        Html,
        Image,
        JSONViewer,
        Markdown,
        MetaflowCard,
        MetaflowCardComponent,
        PageComponent,
        ProgressBar,
        PythonCode,
        Table,
        UserComponent,
        ValueBox,
        VegaChart,
        YAMLViewer,
        get_cards,
    )

__all__ = [
    "Artifact",
    "BlankCard",
    "Card",
    "CardComponent",
    "CardContainer",
    "CardTemplate",
    "DefaultCard",
    "Error",
    "EventsTimeline",
    "Html",
    "Image",
    "JSONViewer",
    "Markdown",
    "MetaflowCard",
    "MetaflowCardComponent",
    "PageComponent",
    "ProgressBar",
    "PythonCode",
    "Table",
    "UserComponent",
    "ValueBox",
    "VegaChart",
    "YAMLViewer",
    "get_cards",
]

__getattr__ = loads("flowkit.cards", {"flowkit.card": " ".join(__all__)})
