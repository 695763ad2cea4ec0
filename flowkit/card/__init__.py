"""Cards: reports about tasks, each one HTML file that needs nothing else and runs nothing.

`component`: the parent of all parts; `prose`, `figures`, `pictures`, `charts`: the parts.
`values`: how anything looks. `markup`: HTML that is safe by its type. `page`: the document.
`graph_svg`: a flow as a drawing. `template`, `default`: what makes whole cards. `step_card`:
`current.card`. `making`, `child`, `live`: cards beside a running step, and when it has ended.
`cards`: looking at cards. `server`: showing those of runs that go on.

A worker enters by name, and only for steps that have a card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowkit.lazy import loads

if TYPE_CHECKING:
    from flowkit.card.cards import Card, CardContainer, CardMissing, get_cards
    from flowkit.card.component import CardComponent, MetaflowCardComponent, UserComponent
    from flowkit.card.default import BlankCard, DefaultCard
    from flowkit.card.figures import EventsTimeline, ProgressBar, ValueBox
    from flowkit.card.live import keep_live_cards
    from flowkit.card.making import AttemptCards, open_cards
    from flowkit.card.markup import Html
    from flowkit.card.pictures import Artifact, Image, PageComponent, Table, VegaChart
    from flowkit.card.prose import Error, JSONViewer, Markdown, PythonCode, YAMLViewer
    from flowkit.card.server import CardServer
    from flowkit.card.step_card import NoCards, StepCards
    from flowkit.card.template import CardTemplate, MetaflowCard, find_template

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
    "find_template",
    "get_cards",
    "keep_live_cards",
    "open_cards",
]

__getattr__ = loads(
    "flowkit.card",
    {
        "flowkit.card.cards": "Card CardContainer CardMissing get_cards",
        "flowkit.card.component": "CardComponent MetaflowCardComponent UserComponent",
        "flowkit.card.default": "BlankCard DefaultCard",
        "flowkit.card.figures": "EventsTimeline ProgressBar ValueBox",
        "flowkit.card.live": "keep_live_cards",
        "flowkit.card.making": "AttemptCards open_cards",
        "flowkit.card.markup": "Html",
        "flowkit.card.pictures": "Artifact Image PageComponent Table VegaChart",
        "flowkit.card.prose": "Error JSONViewer Markdown PythonCode YAMLViewer",
        "flowkit.card.server": "CardServer",
        "flowkit.card.step_card": "NoCards StepCards",
        "flowkit.card.template": "CardTemplate MetaflowCard find_template",
    },
)
