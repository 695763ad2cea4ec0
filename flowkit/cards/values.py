"""How values of any type look in a card: short, and never at the cost of the card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from reprlib import Repr
from typing import Any

from flowkit.cards.component import CardComponent, rendered
from flowkit.cards.markup import Html, data_url, join, tag

MAX_TEXT = 4000
MAX_ROWS = 20
MAX_COLUMNS = 30
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


def value_html(value: object) -> Html:
    """Show a value: images as images, frames as tables, everything else as text."""
    if isinstance(value, CardComponent):
        return rendered(value)
    image = image_bytes(value)
    if image is not None:
        return image_html(image, alt=type(value).__name__)
    if is_frame(value):
        return frame_html(value)
    if isinstance(value, str):
        return tag("pre", _shortened(value)) if "\n" in value else tag("span", _shortened(value))
    if isinstance(value, bool | int | float | complex) or value is None:
        return tag("span", short_text(value), class_="number")
    if isinstance(value, bytes | bytearray):
        return tag("code", _bytes_text(bytes(value)))
    return tag("pre", short_text(value))


def short_text(value: object) -> str:
    """Write a value as Python does, cut where it gets long; a `repr` that raises is named."""
    if isinstance(value, float):
        return f"{value:,.6g}" if math.isfinite(value) else str(value)
    if type(value) is int:
        return (
            f"{value:,}" if value.bit_length() < 200 else f"an integer of {value.bit_length()} bits"
        )
    module = type(value).__module__.partition(".")[0]
    try:
        if module == "numpy" and getattr(value, "ndim", None):
            return _array_text(value)
        return _shortened(_REPR.repr(value))
    except Exception as error:  # a `repr` is code of users
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def image_type(data: bytes) -> str | None:
    """Return the media type of an image by its first bytes, or None if it is no image."""
    for signature, media_type in _SIGNATURES.items():
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    start = data[:300].lstrip().lower()
    return "image/svg+xml" if start.startswith(b"<svg") or b"<svg" in start[:300] else None


def image_bytes(value: object) -> bytes | None:
    """Return a value as the bytes of an image if it is one: bytes, a figure or a picture."""
    if isinstance(value, bytes | bytearray):
        data = bytes(value)
        return data if image_type(data) else None
    library = type(value).__module__.partition(".")[0]
    if library == "matplotlib" or _is_plot(value):
        return figure_png(value)
    if library == "PIL" and hasattr(value, "save"):
        from io import BytesIO

        out = BytesIO()
        value.save(out, format="PNG")
        return out.getvalue()
    return None


def figure_png(value: Any) -> bytes | None:
    """Draw a matplotlib figure, or the figure of an axes or a plot, as PNG."""
    figure: Any = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if callable(figure):
        figure = figure()
    if not hasattr(figure, "savefig"):
        return None
    from io import BytesIO

    out = BytesIO()
    figure.savefig(out, format="png", bbox_inches="tight", dpi=144)
    return out.getvalue()


def image_html(data: bytes, *, alt: str) -> Html:
    """Show an image; as `img`, so that what an SVG may hold of scripts never runs."""
    media_type = image_type(data)
    if media_type is None:
        return tag("em", f"no image: {_bytes_text(data)}")
    return tag("img", src=data_url(data, media_type), alt=alt)


def is_frame(value: object) -> bool:
    """Say whether a value is a data frame of some library."""
    library = type(value).__module__.partition(".")[0]
    known: dict[str, tuple[str, ...]] = {
        "pandas": ("DataFrame", "Series"),
        "polars": ("DataFrame", "Series"),
    }
    known |= {"pyarrow": ("Table", "RecordBatch"), "flowkit": ("DataFrame",)}
    return type(value).__name__ in known.get(library, ())


def frame_html(frame: Any, *, limit: int = MAX_ROWS) -> Html:
    """Show the first rows of a data frame, and how large it is."""
    headers, rows, shape = frame_rows(frame, limit=limit)
    return table_html(headers, rows, note=shape)


def frame_rows(frame: Any, *, limit: int | None) -> tuple[list[str], list[list[object]], str]:
    """Return the names of columns, the rows up to a limit, and the size in words."""
    library = type(frame).__module__.partition(".")[0]
    if library == "pandas":
        return _pandas_rows(frame, limit)
    if library == "flowkit":
        frame = frame.to_arrow()
        library = "pyarrow"
    if library == "polars" and type(frame).__name__ == "Series":
        frame = frame.to_frame()
    names = list(map(str, frame.column_names if library == "pyarrow" else frame.columns))
    total = frame.num_rows if library == "pyarrow" else frame.height
    head = frame.slice(0, total if limit is None else limit)
    records = head.to_pylist() if library == "pyarrow" else head.rows()
    rows = [list(one.values()) if isinstance(one, dict) else list(one) for one in records]
    return names, rows, _size(total, len(names), len(rows))


def _pandas_rows(frame: Any, limit: int | None) -> tuple[list[str], list[list[object]], str]:
    if type(frame).__name__ == "Series":
        frame = frame.to_frame()
    head = frame if limit is None else frame.head(limit)
    columns = list(map(str, frame.columns))
    index = frame.index
    # Rows that are only numbered need no column for that.
    is_plain = type(index).__name__ == "RangeIndex" and index.start == 0
    rows = [list(one) for one in head.itertuples(index=not is_plain)]
    names = columns if is_plain else [str(index.name or ""), *columns]
    return names, rows, _size(len(frame), len(columns), len(rows))


def table_html(
    headers: Sequence[object], rows: Sequence[Sequence[object]], *, note: str = ""
) -> Html:
    """Lay out rows under headers; a wide table scrolls by itself. Cells may be components."""
    rows = [list(row) for row in rows]
    numeric = [
        bool(rows) and all(_is_number(row[at]) for row in rows if at < len(row))
        for at in range(max((len(row) for row in rows), default=0))
    ]

    def cell(at: int, value: object) -> Html:
        right = "number" if at < len(numeric) and numeric[at] else None
        return tag("td", cell_html(value), class_=right)

    def header(at: int, name: object) -> Html:
        right = "number" if at < len(numeric) and numeric[at] else None
        return tag("th", cell_html(name), scope="col", class_=right)

    head = tag("thead", tag("tr", *(header(at, one) for at, one in enumerate(headers))))
    body = tag(
        "tbody",
        *(tag("tr", *(cell(at, one) for at, one in enumerate(row[:200]))) for row in rows),
    )
    table = tag("table", head if headers else Html(""), body)
    # Reachable by keyboard, or what does not fit could not be scrolled to.
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="table")
    return join(scroll, tag("p", note, class_="note") if note else Html(""))


def cell_html(value: object) -> Html:
    """Show what stands in a cell of a table."""
    if isinstance(value, CardComponent):
        return rendered(value)
    if isinstance(value, str):
        return join(_shortened(value))
    if image_bytes(value) is not None:
        return value_html(value)
    return join(short_text(value))


def plain(value: object, *, depth: int = 12) -> Any:
    """Return a value as JSON could hold it: mappings, lists, text, numbers, truth and None."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth and isinstance(value, Mapping):
        return {str(key): plain(one, depth=depth - 1) for key, one in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [plain(one, depth=depth - 1) for one in value]
    return short_text(value)


def _is_plot(value: object) -> bool:
    return hasattr(value, "figure") and type(value).__module__.partition(".")[0] == "seaborn"


def _is_number(value: object) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    return type(value).__module__ == "numpy" and type(value).__name__.startswith(("int", "float"))


def _array_text(value: Any) -> str:
    about = f"array of {' × '.join(map(str, value.shape))}, {value.dtype}"
    first = list(islice(value.flat, 12))
    shown = ", ".join(short_text(getattr(one, "item", lambda one=one: one)()) for one in first)
    return f"{about}\n{shown}{', …' if value.size > 12 else ''}"


def _bytes_text(data: bytes) -> str:
    return f"{data[:64]!r}{'…' if len(data) > 64 else ''} ({len(data):,} bytes)"


def _shortened(value: str) -> str:
    return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}… ({len(value):,} characters)"


def _size(rows: int, columns: int, shown: int) -> str:
    size = f"{rows:,} row{'s' * (rows != 1)} × {columns:,} column{'s' * (columns != 1)}"
    return size if shown == rows else f"{size}; the first {shown:,} are shown"


class _Repr(Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 30
        self.maxstring = self.maxother = 500
        self.maxlevel = 5


_REPR = _Repr()
