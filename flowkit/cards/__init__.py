"""Cards: reports about tasks, each one HTML file that needs nothing else and runs nothing.

Users import what cards are made of from here: `from flowkit.cards import Markdown, Table`.

`component`: the parent of all parts; `prose`, `figures`, `pictures`, `charts`: the parts.
`values`: how anything looks. `markup`: HTML that is safe by its type. `page`: the document.
`graph_svg`: a flow as a drawing. `template`, `default`: what makes whole cards. `step_card`:
`current.card`. `making`, `child`, `live`: cards beside a running step, and when it has ended.
`creating`: one more, later. `viewing`: looking at cards. `server`: showing those of runs that go
on.

A worker enters by name, and only for steps that have a card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.cards.component import CardComponent, MetaflowCardComponent, UserComponent
    from flowkit.cards.creating import create_card
    from flowkit.cards.default import BlankCard, DefaultCard
    from flowkit.cards.figures import EventsTimeline, ProgressBar, ValueBox
    from flowkit.cards.live import keep_live_cards
    from flowkit.cards.making import AttemptCards, open_cards
    from flowkit.cards.markup import Html
    from flowkit.cards.pictures import Artifact, Image, PageComponent, Table, VegaChart
    from flowkit.cards.prose import Error, JSONViewer, Markdown, PythonCode, YAMLViewer
    from flowkit.cards.server import CardServer
    from flowkit.cards.step_card import NoCards, StepCards
    from flowkit.cards.template import CardTemplate, MetaflowCard, find_template
    from flowkit.cards.viewing import Card, CardContainer, CardMissing, get_cards

__all__ = [
    "Artifact",
    "AttemptCards",
    "BlankCard",
    "Card",
    "CardComponent",
    "CardContainer",
    "CardMissing",
    "CardServer",
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
    "NoCards",
    "PageComponent",
    "ProgressBar",
    "PythonCode",
    "StepCards",
    "Table",
    "UserComponent",
    "ValueBox",
    "VegaChart",
    "YAMLViewer",
    "create_card",
    "find_template",
    "get_cards",
    "keep_live_cards",
    "open_cards",
]

__getattr__ = loads(
    "flowkit.cards",
    {
        "flowkit.cards.viewing": "Card CardContainer CardMissing get_cards",
        "flowkit.cards.component": "CardComponent MetaflowCardComponent UserComponent",
        "flowkit.cards.creating": "create_card",
        "flowkit.cards.default": "BlankCard DefaultCard",
        "flowkit.cards.figures": "EventsTimeline ProgressBar ValueBox",
        "flowkit.cards.live": "keep_live_cards",
        "flowkit.cards.making": "AttemptCards open_cards",
        "flowkit.cards.markup": "Html",
        "flowkit.cards.pictures": "Artifact Image PageComponent Table VegaChart",
        "flowkit.cards.prose": "Error JSONViewer Markdown PythonCode YAMLViewer",
        "flowkit.cards.server": "CardServer",
        "flowkit.cards.step_card": "NoCards StepCards",
        "flowkit.cards.template": "CardTemplate MetaflowCard find_template",
    },
)
