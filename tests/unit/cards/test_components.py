"""What components show, and that nothing in a value becomes HTML."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from flowkit.cards import (
    Artifact,
    CardComponent,
    Error,
    EventsTimeline,
    Html,
    Image,
    JSONViewer,
    Markdown,
    PageComponent,
    ProgressBar,
    PythonCode,
    Table,
    ValueBox,
    VegaChart,
    YAMLViewer,
)
from flowkit.cards.component import rendered
from flowkit.cards.graph_svg import graph_svg
from flowkit.cards.page import page_html
from flowkit.graph import Case, FlowDescription, Kind, Node, Place

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


class _Elements(HTMLParser):
    """Collects the elements that a browser would see, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))


@pytest.mark.parametrize(
    "component",
    [
        Artifact(EVIL, EVIL),
        Artifact({EVIL: [EVIL]}, EVIL),
        Table([[EVIL, 1]], headers=[EVIL, "n"]),
        Table.from_dataframe(pd.DataFrame({EVIL: [EVIL]}, index=[EVIL])),
        Image(np.zeros((2, 2)), label=EVIL),
        Markdown(EVIL),
        Markdown(f"[x](javascript:alert(1)) ![y](data:text/html,{EVIL}) `{EVIL}`\n\n{EVIL}"),
        Error(ValueError(EVIL), EVIL),
        ProgressBar(label=EVIL, unit=EVIL, metadata=EVIL),
        ValueBox(EVIL, EVIL, EVIL, theme=EVIL, change_indicator=EVIL),
        PythonCode(code_string=f"x = '''{EVIL}''' # {EVIL}\n{EVIL}"),
        EventsTimeline(EVIL, [{EVIL: EVIL}]),
        JSONViewer({EVIL: [EVIL, {EVIL: None}]}, title=EVIL, max_height=f"1px{EVIL}"),
        JSONViewer(EVIL, collapsible=False),
        YAMLViewer({EVIL: EVIL}, title=EVIL),
        PageComponent(EVIL, [EVIL, Markdown(EVIL)]),
        EVIL,
    ],
    ids=lambda one: type(one).__name__,
)
def test_text_never_becomes_html(component: object) -> None:
    found = _Elements()
    found.feed(rendered(component))
    for name, attributes in found.seen:
        assert name not in ("script", "iframe", "object", "style")
        for attribute, value in attributes:
            assert not attribute.startswith("on")
            assert attribute != "href" or (value or "").startswith(("http", "#"))
            assert attribute != "style" or (value or "") == "max-height:400px"


def test_a_graph_has_no_html_of_its_names() -> None:
    place = Place("flow.py", 1)
    nodes = (
        Node(
            name="start",
            kind=Kind.SWITCH,
            place=place,
            targets=("start", "end"),
            cases=(Case(EVIL, "start"), Case("b", "end")),
            doc=EVIL,
        ),
        Node(name="end", kind=Kind.END, place=place),
    )
    described = FlowDescription(name="F", file="f.py", start="start", end="end", nodes=nodes)
    html = graph_svg(described, current="start")
    assert "<script" not in html
    assert html.count("<rect") == 2


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"city": ["Bern", "Oslo"], "people": [133_883, 709_037]}),
        pl.DataFrame({"city": ["Bern", "Oslo"], "people": [133_883, 709_037]}),
        pa.table({"city": ["Bern", "Oslo"], "people": [133_883, 709_037]}),
        {"city": ["Bern", "Oslo"], "people": [133_883, 709_037]},
    ],
    ids=["pandas", "polars", "arrow", "dict"],
)
def test_a_table_takes_frames_and_columns(frame: Any) -> None:
    html = Table(frame).render()
    assert re.findall(r"<th [^>]*>(\w+)<", html) == ["city", "people"]
    assert re.findall(r"<td[^>]*>([\w,]+)<", html) == ["Bern", "133,883", "Oslo", "709,037"]


def test_a_long_frame_is_cut_and_says_so() -> None:
    html = Table.from_dataframe(pd.DataFrame({"n": range(10_000)})).render()
    assert html.count("<tr>") == 51
    assert "10,000 rows × 1 column; the first 50 are shown" in html


def test_cells_may_be_components() -> None:
    assert "<strong>best</strong>" in Table([["forest", Markdown("**best**")]]).render()


@pytest.mark.parametrize(
    "source",
    [
        np.linspace(0, 1, 12).reshape(3, 4),
        np.zeros((3, 4, 3), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
    ],
    ids=["grey", "colours", "transparent"],
)
def test_an_array_is_an_image(source: Any) -> None:
    assert 'src="data:image/png;base64,' in rendered(Image(source))


def test_a_figure_a_file_and_bytes_are_images(tmp_path: Any) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    path = tmp_path / "plot.svg"
    path.write_text("<svg xmlns='http://www.w3.org/2000/svg'></svg>")
    assert "data:image/png" in rendered(Image(figure))
    assert "data:image/png" in rendered(Image.from_matplotlib(figure, "a plot"))
    assert "data:image/svg+xml" in rendered(Image(path))
    assert "data:image/svg+xml" in rendered(Image(path.read_bytes()))


def test_a_chart_is_drawn_for_light_and_dark_from_vega_lite_and_altair() -> None:
    import altair

    rows = [{"x": 1, "y": 2}, {"x": 2, "y": 3}]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": "Rows",
        "data": {"values": rows},
        "mark": "line",
        "encoding": {"x": {"field": "x"}, "y": {"field": "y", "type": "quantitative"}},
    }
    chart = altair.Chart(pd.DataFrame(rows)).mark_bar().encode(x="x:O", y="y:Q")
    for one in (VegaChart(spec), VegaChart.from_altair_chart(chart)):
        html = rendered(one)
        assert html.count("data:image/svg+xml;base64,") == 2
        assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    "spec", [{"mark": 3}, 7, {"data": {"url": "https://example.invalid/x.csv"}, "mark": "bar"}]
)
def test_a_chart_that_cannot_be_drawn_says_so_and_fetches_nothing(spec: Any) -> None:
    assert "VegaChart could not be shown" in rendered(VegaChart(spec))


def test_updates_change_what_is_shown() -> None:
    bar, box, timeline = ProgressBar(max=10), ValueBox("a", 1), EventsTimeline(max_events=2)
    bar.update(7, metadata="nearly")
    box.update(value=2)
    for at in range(5):
        timeline.update({"at": at}, finalize=at == 4)
    assert 'value="7"' in bar.render()
    assert "nearly" in bar.render()
    assert ">2<" in box.render()
    assert "5 events, the last 2 are shown, finished" in timeline.render()


def test_what_a_subclass_returns_is_text_unless_it_is_html() -> None:
    class Plain(CardComponent):
        def render(self) -> str:
            return "<b>bold</b>"

    class Bold(CardComponent):
        def render(self) -> Html:
            return Html("<b>bold</b>")

    assert rendered(Plain()) == "&lt;b&gt;bold&lt;/b&gt;"
    assert rendered(Bold()) == "<b>bold</b>"


def test_yaml_quotes_what_would_mean_something_else() -> None:
    html = YAMLViewer({"yes": "no", "n": [1, {"a b": None}], "e": []}).render()
    lines = unescape(re.sub(r"<[^>]+>", "", html)).splitlines()
    assert lines == ['"yes": "no"', '"n":', "  - 1", "  -", '    "a b": null', "e: []"]


def test_the_shell_is_small_and_has_no_scripts() -> None:
    page = page_html("t", Html(""))
    assert len(page.encode()) < 150_000
    assert "Content-Security-Policy" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
