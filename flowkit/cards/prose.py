"""Components of words: Markdown, errors, code, and trees of JSON and YAML."""

from __future__ import annotations

import inspect
import json
import textwrap
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowkit.cards.component import CardComponent
from flowkit.cards.markup import Html, join, tag
from flowkit.cards.values import plain
from flowkit.values import Failure

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MAX_TREE_ITEMS = 500


class Markdown(CardComponent):
    r"""Text in Markdown, with tables. HTML in it is shown as text, and links lead to the web only.

    >>> Markdown("**fast**").render()
    '<div class="prose"><p><strong>fast</strong></p>\n</div>'
    """

    REALTIME_UPDATABLE = True

    def __init__(self, text: str | None = None) -> None:
        self._text = text or ""

    def update(self, text: str | None = None) -> None:
        """Show another text."""
        self._text = text or ""

    def render(self) -> Html:
        """Return the text as HTML."""
        source = textwrap.dedent(str(self._text))
        return tag("div", Html(_markdown().render(source)), class_="prose")


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "linkify": False})
    made.enable(["table", "strikethrough"])

    def is_allowed(url: str) -> bool:
        lead, colon, _ = url.strip().lower().partition(":")
        return not colon or lead in ("http", "https", "mailto") or lead.startswith("#")

    made.validateLink = is_allowed  # type: ignore[method-assign]
    return made


class Error(CardComponent):
    """An exception, with the way through the code that led to it."""

    def __init__(self, exception: BaseException | Failure, title: str | None = None) -> None:
        self._title = title
        if isinstance(exception, Failure):
            self._kind, self._message = exception.type_name, exception.message
            self._trace = exception.traceback
        else:
            self._kind, self._message = type(exception).__name__, _message(exception)
            self._trace = "".join(traceback.format_exception(exception))

    def render(self) -> Html:
        """Return the error as HTML."""
        about = f"{self._kind}: {self._message}" if self._message else self._kind
        trace = Html("")
        if self._trace:
            trace = tag("details", tag("summary", "Traceback"), tag("pre", self._trace))
        return tag(
            "div", tag("strong", self._title or "Error"), tag("pre", about), trace, class_="error"
        )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the text of an exception is code of users
        return ""


class PythonCode(CardComponent):
    """Python code, of a function or as text."""

    def __init__(
        self, code_func: Callable[..., Any] | None = None, code_string: str | None = None
    ) -> None:
        if code_string is None and code_func is not None:
            try:
                code_string = textwrap.dedent(inspect.getsource(code_func))
            except (OSError, TypeError):
                code_string = f"# the source of {code_func!r} cannot be read"
        self._code = code_string or ""

    def render(self) -> Html:
        """Return the code as HTML, coloured."""
        code = tag("code", highlighted(self._code))
        return tag("pre", code, class_="code scroll", tabindex="0")


def highlighted(code: str) -> Html:
    """Colour Python code; text that is none stays plain."""
    import io
    import keyword
    import tokenize

    lines = code.splitlines(keepends=True)
    kinds = {tokenize.STRING: "s", tokenize.COMMENT: "c", tokenize.NUMBER: "n"}
    parts: list[str] = []
    row, column = 1, 0

    def until(end_row: int, end_column: int) -> str:
        nonlocal row, column
        found = []
        while row < end_row:
            found.append(lines[row - 1][column:] if row <= len(lines) else "")
            row, column = row + 1, 0
        if row <= len(lines):
            found.append(lines[row - 1][column:end_column])
        column = end_column
        return "".join(found)

    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            parts.append(until(*token.start))
            written = until(*token.end)
            is_word = token.type == tokenize.NAME and keyword.iskeyword(token.string)
            kind = "k" if is_word else kinds.get(token.type)
            parts.append(tag("span", written, class_=kind) if kind else written)
    except (tokenize.TokenError, SyntaxError):
        parts.append(until(len(lines) + 1, 0))
    return join(*parts)


class JSONViewer(CardComponent):
    """A mapping or list as a tree that opens and closes, as JSON has it."""

    REALTIME_UPDATABLE = True
    _name = "JSON"

    def __init__(
        self,
        data: Any,
        collapsible: bool = True,
        max_height: str = "400px",
        show_copy_button: bool = True,
        title: str | None = None,
    ) -> None:
        # Nothing runs in a card, so there is no button to copy with: text can be selected.
        del show_copy_button
        self._data, self._collapsible, self._title = data, collapsible, title
        self._max_height = max_height

    def update(self, data: Any) -> None:
        """Show other data."""
        self._data = data

    def render(self) -> Html:
        """Return the tree as HTML."""
        text = self._text()
        shown = tree(self._parsed()) if self._collapsible else tag("pre", text)
        heading = tag("h3", self._title) if self._title else Html("")
        box = tag(
            "div",
            shown,
            class_="tree scroll",
            tabindex="0",
            style=f"max-height:{_css_length(self._max_height)}",
        )
        return join(heading, box)

    def _parsed(self) -> Any:
        if isinstance(self._data, str):
            try:
                return json.loads(self._data)
            except ValueError:
                return self._data
        return plain(self._data)

    def _text(self) -> str:
        return json.dumps(self._parsed(), indent=2, ensure_ascii=False)


class YAMLViewer(JSONViewer):
    """A mapping or list as YAML writes it; text is taken for YAML."""

    def __init__(
        self,
        data: Any,
        collapsible: bool = True,
        max_height: str = "400px",
        show_copy_button: bool = True,
        title: str | None = None,
    ) -> None:
        super().__init__(data, False, max_height, show_copy_button, title)

    def _text(self) -> str:
        return self._data if isinstance(self._data, str) else to_yaml(plain(self._data))


def tree(value: Any, *, name: str | None = None, depth: int = 0) -> Html:
    """Show plain data as lines that open and close; no script is needed for that."""
    label = join(tag("span", name, class_="key"), ": ") if name is not None else Html("")
    if not isinstance(value, Mapping | list) or not value:
        kind = "s" if isinstance(value, str) else "n"
        shown = json.dumps(value, ensure_ascii=False, default=str)
        return tag("div", label, tag("span", shown, class_=kind))
    pairs = (
        [(json.dumps(key, ensure_ascii=False), one) for key, one in value.items()]
        if isinstance(value, Mapping)
        else [(str(at), one) for at, one in enumerate(value)]
    )
    more = len(pairs) - MAX_TREE_ITEMS
    size = tag("span", f"{{{len(pairs)}}}" if isinstance(value, Mapping) else f"[{len(pairs)}]")
    inside = [tree(one, name=key, depth=depth + 1) for key, one in pairs[:MAX_TREE_ITEMS]]
    if more > 0:
        inside.append(tag("div", f"… {more:,} more"))
    return tag("details", tag("summary", label, size), *inside, open=depth < 2)


def to_yaml(value: Any, *, indent: int = 0) -> str:
    """Write plain data as YAML.

    >>> print(to_yaml({"a": [1, True], "b": {"c": "x: y"}}), end="")
    a:
      - 1
      - true
    b:
      c: "x: y"
    """
    lead = "  " * indent
    if isinstance(value, Mapping) and value:
        return "".join(
            f"{lead}{_scalar(str(key))}:{_nested(one, indent)}" for key, one in value.items()
        )
    if isinstance(value, list) and value:
        return "".join(f"{lead}-{_nested(one, indent)}" for one in value)
    return f"{lead}{_scalar(value)}\n"


def _nested(value: Any, indent: int) -> str:
    if isinstance(value, Mapping | list) and value:
        return f"\n{to_yaml(value, indent=indent + 1)}"
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and value.replace("_", "").replace("-", "").isalnum():
        is_word = value[0].isalpha() and value.lower() not in _YAML_WORDS
        return value if is_word else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def _css_length(length: str) -> str:
    """Return a length that CSS knows; what is none could say anything else there."""
    number = length.rstrip("abcdefghijklmnopqrstuvwxyz%")
    try:
        float(number)
    except ValueError:
        return "400px"
    return length
