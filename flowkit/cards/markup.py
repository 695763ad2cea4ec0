"""HTML that is safe by its type: what is not `Html` is escaped where it is put in."""

from __future__ import annotations

from base64 import b64encode
from html import escape

_VOID = frozenset({"br", "hr", "img", "meta", "source"})


class Html(str):
    """Text that is HTML already, and stays as it is."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return text as HTML, escaped unless it is HTML already.

    >>> text("<b>")
    '&lt;b&gt;'
    """
    if isinstance(value, Html):
        return value
    # Characters that no document may hold become the one that says so.
    clean = "".join(one if one >= " " or one in "\t\n\r" else "\ufffd" for one in value)
    clean = clean.encode("utf-8", "replace").decode()
    return Html(escape(clean, quote=True))


def tag(name: str, /, *children: str, **attributes: str | int | float | bool | None) -> Html:
    """Return an element; names of attributes end with `_` where Python keeps the word.

    An attribute that is None or False is left out.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value)) if value is not True else ""}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*parts: str) -> Html:
    """Put parts one after the other; those that are no HTML are escaped."""
    return Html("".join(map(text, parts)))


def data_url(data: bytes, media_type: str) -> str:
    """Return bytes as a URL that needs no network."""
    return f"data:{media_type};base64,{b64encode(data).decode()}"
