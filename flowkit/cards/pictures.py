"""Components to look at: images, tables, charts, artifacts and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowkit.cards.charts import can_draw, draw
from flowkit.cards.component import CardComponent, rendered
from flowkit.cards.markup import Html, data_url, join, tag
from flowkit.cards.values import (
    frame_rows,
    image_bytes,
    image_html,
    is_frame,
    table_html,
    value_html,
)
from flowkit.errors import UsageError

MAX_TABLE_ROWS = 1000
_LEAST_PIXELS = 96
_DARK = "screen and (prefers-color-scheme: dark)"


class Artifact(CardComponent):
    """Any value, with its name: images as images, frames as tables, the rest as text."""

    REALTIME_UPDATABLE = True

    def __init__(self, artifact: object, name: str | None = None, compressed: bool = True) -> None:
        del compressed  # a card always cuts what is long
        self._value, self._name = artifact, name

    def update(self, artifact: object) -> None:
        """Show another value."""
        self._value = artifact

    def render(self) -> Html:
        """Return the value as HTML."""
        name = tag("span", self._name, class_="label") if self._name else Html("")
        return tag("div", name, value_html(self._value), class_="artifact")


class Table(CardComponent):
    """Rows under headers: of lists, of a dict of columns, or of a data frame.

    Cells may be components.
    """

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        data: Any = None,
        headers: Sequence[object] | None = None,
        disable_updates: bool = False,
    ) -> None:
        self.REALTIME_UPDATABLE = not disable_updates
        self.update(data, headers)

    @classmethod
    def from_dataframe(cls, dataframe: Any = None, truncate: bool = True) -> Table:
        """Make a table of a data frame; of a long one the first rows, unless told otherwise."""
        made = cls()
        if dataframe is not None:
            limit = 50 if truncate else MAX_TABLE_ROWS
            made._headers, made._rows, made._note = frame_rows(dataframe, limit=limit)
        return made

    def update(self, data: Any = None, headers: Sequence[object] | None = None) -> None:
        """Show other rows."""
        self._note = ""
        if is_frame(data):
            names, self._rows, self._note = frame_rows(data, limit=MAX_TABLE_ROWS)
            self._headers: Sequence[object] = headers or names
            return
        if isinstance(data, Mapping):
            columns = [
                [*one] if isinstance(one, Sequence) and not isinstance(one, str) else [one]
                for one in data.values()
            ]
            height = max(map(len, columns), default=0)
            rows = [[one[at] if at < len(one) else "" for one in columns] for at in range(height)]
            self._headers, self._rows = headers or list(data), rows
            return
        self._headers = list(headers or ())
        self._rows = [
            list(row) if isinstance(row, Sequence) and not isinstance(row, str) else [row]
            for row in (data if data is not None else ())
        ]

    def render(self) -> Html:
        """Return the table as HTML."""
        note = self._note
        if len(self._rows) > MAX_TABLE_ROWS and not note:
            note = f"{len(self._rows):,} rows; the first {MAX_TABLE_ROWS:,} are shown"
        return table_html(self._headers, self._rows[:MAX_TABLE_ROWS], note=note)


class Image(CardComponent):
    """An image: its bytes, the path of its file, a matplotlib or PIL figure, or an array.

    An array has shape (height, width) or (height, width, 3 or 4), uint8 or floats from 0 to 1; one
    of few pixels is shown larger.
    """

    REALTIME_UPDATABLE = True

    def __init__(
        self, src: object = None, label: str | None = None, disable_updates: bool = True
    ) -> None:
        self.REALTIME_UPDATABLE = not disable_updates
        self._label = label
        # Taken at once: a figure may be drawn over, and a file removed, before the card is made.
        self._data = _image(src)

    @classmethod
    def from_matplotlib(
        cls, plot: object, label: str | None = None, disable_updates: bool = False
    ) -> Image:
        """Make an image of a matplotlib figure, axes or plot."""
        return cls(plot, label, disable_updates)

    @classmethod
    def from_pil_image(
        cls, pilimage: object, label: str | None = None, disable_updates: bool = False
    ) -> Image:
        """Make an image of a PIL image."""
        return cls(pilimage, label, disable_updates)

    def update(self, image: object, label: str | None = None) -> None:
        """Show another image."""
        self._data = _image(image)
        self._label = self._label if label is None else label

    def render(self) -> Html:
        """Return the image as HTML."""
        if isinstance(self._data, str):
            return tag("p", tag("em", self._data), class_="note")
        caption = tag("figcaption", self._label) if self._label else Html("")
        alt = self._label or "image"
        return tag("figure", image_html(self._data, alt=alt), caption)


def _image(source: object) -> bytes | str:
    """Return the bytes of an image, or say why there are none: user code must go on."""
    try:
        if isinstance(source, str | Path):
            source = Path(source).read_bytes()
        found = image_bytes(source)
        if found is None and hasattr(source, "__array_interface__"):
            found = _array_png(source)
    except Exception as error:  # drawing runs code of users and of libraries
        return f"the image could not be drawn: {type(error).__name__}: {error}"
    if found is not None:
        return found
    if isinstance(source, bytes | bytearray):
        return "the image's format is not known: PNG, JPEG, GIF, WebP and SVG are"
    return f"a `{type(source).__name__}` is no image"


def _array_png(array: Any) -> bytes:
    import struct
    import zlib

    import numpy as np

    pixels = np.asarray(array)
    if pixels.dtype.kind == "f":
        pixels = (np.clip(np.nan_to_num(pixels), 0, 1) * 255).round()
    pixels = np.ascontiguousarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    colours = {2: 0}.get(pixels.ndim, {3: 2, 4: 6}.get(pixels.shape[-1] if pixels.ndim == 3 else 0))
    if colours is None or not pixels.size:
        raise UsageError(
            f"an array of shape {pixels.shape} is no image",
            hint="give it the shape (height, width) or (height, width, 3)",
        )
    # A few pixels would be a dot on a screen, and smoothed if the browser enlarged them.
    times = max(1, _LEAST_PIXELS // max(pixels.shape[:2]))
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class VegaChart(CardComponent):
    """A chart from a Vega-Lite specification: a dict, or an Altair chart.

    It is drawn when the card is made, as SVG in a light and a dark version, by the package
    vl-convert-python; so a card needs neither network nor scripts. Where that package is missing,
    the card shows the specification.
    """

    REALTIME_UPDATABLE = True

    def __init__(self, spec: Any, show_controls: bool = False) -> None:
        del show_controls  # what is drawn does not move
        self.update(spec)

    @classmethod
    def from_altair_chart(cls, altair_chart: Any) -> VegaChart:
        """Make a chart of one that Altair describes."""
        return cls(altair_chart)

    def update(self, spec: Any) -> None:
        """Show another chart."""
        self._spec = spec.to_dict() if hasattr(spec, "to_dict") else spec

    def render(self) -> Html:
        """Return the chart as HTML."""
        title = self._spec.get("title") if isinstance(self._spec, Mapping) else None
        label = title if isinstance(title, str) else "chart"
        if not can_draw():
            note = "pip install 'flowkit[cards]' draws this chart"
            shown = json.dumps(self._spec, indent=2, default=str)
            code = tag("pre", shown, class_="code scroll")
            return tag("details", tag("summary", f"Chart: {label} ({note})"), code)
        light, dark = draw(self._spec)
        source = tag(
            "picture",
            tag("source", media=_DARK, srcset=_svg_url(dark)),
            tag("img", src=_svg_url(light), alt=label),
        )
        return tag("figure", source, class_="chart scroll", tabindex="0")


def _svg_url(svg: str) -> str:
    return data_url(svg.encode(), "image/svg+xml")


class PageComponent(CardComponent):
    """Components under a title of their own."""

    def __init__(self, title: str | None = None, contents: Sequence[object] | None = None) -> None:
        self._title, self.contents = title, list(contents or ())

    def render(self) -> Html:
        """Return the page as HTML."""
        title = tag("h2", self._title) if self._title else Html("")
        return tag("section", title, components_html(self.contents), class_="page")


def components_html(components: Sequence[object]) -> Html:
    """Show components below one another, and single values that follow each other in a row."""
    from flowkit.cards.figures import ValueBox

    parts: list[Html] = []
    row: list[Html] = []
    for one in [*components, None]:
        if isinstance(one, ValueBox):
            row.append(rendered(one))
            continue
        if row:
            parts.append(tag("div", *row, class_="values"))
            row = []
        if one is not None:
            parts.append(tag("div", rendered(one), class_="component"))
    return join(*parts)
