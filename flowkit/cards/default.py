"""The cards that come along: `default` tells all about a task, `blank` what its step appended."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from flowkit.cards.component import fault, rendered
from flowkit.cards.graph_svg import graph_svg
from flowkit.cards.markup import Html, join, tag
from flowkit.cards.page import page_html
from flowkit.cards.pictures import PageComponent, components_html
from flowkit.cards.prose import Error, PythonCode
from flowkit.cards.template import CardTemplate
from flowkit.cards.values import image_bytes, value_html

if TYPE_CHECKING:
    from flowkit.client import Artifact, Task
    from flowkit.graph import FlowDescription

LOAD_LIMIT_BYTES = 20_000_000
"""An artifact that is larger is named, and not loaded."""
MAX_ARTIFACTS = 200


class BlankCard(CardTemplate):
    """What the step appended, and nothing else."""

    type: ClassVar[str | None] = "blank"
    ALLOW_USER_COMPONENTS: ClassVar[bool] = True
    RUNTIME_UPDATABLE: ClassVar[bool] = True
    RELOAD_POLICY: ClassVar[str] = CardTemplate.RELOAD_POLICY_ONCHANGE

    def render(self, task: Task) -> str:
        """Return the card as HTML."""
        title = self.options.get("title")
        heading = tag("h1", str(title)) if title else Html("")
        header = tag("header", _trail(task), heading)
        body = join(header, tag("main", self._sections()), _footer(task))
        return page_html(str(title or task.pathspec), body)

    def render_runtime(self, task: Task, data: object) -> str:
        """Return the card as it is now."""
        return self.render(task)

    def reload_content_token(self, task: Task, data: object) -> str:
        """Return what changes with the components."""
        return str(components_html(self.components))

    def _sections(self) -> Html:
        """Show what was appended: pages as they are, what is outside of them together."""
        parts: list[Html] = []
        loose: list[object] = []
        for one in [*self.components, None]:
            if one is not None and not isinstance(one, PageComponent):
                loose.append(one)
                continue
            if loose:
                parts.append(tag("section", components_html(loose)))
                loose = []
            if one is not None:
                parts.append(rendered(one))
        return join(*parts)


class DefaultCard(BlankCard):
    """All about a task: how it went, parameters, graph, artifacts, images and code.

    What the step appended comes first.
    """

    type: ClassVar[str | None] = "default"

    def render(self, task: Task) -> str:
        """Return the card as HTML."""
        description = task.workspace.store.run_record(task.run.row.run).description
        header = tag("header", _trail(task), _title(task), _about(description, task), _facts(task))
        sections = [
            self._sections(),
            _part("What was raised", lambda: _failure(task)),
            _part("Parameters", lambda: _parameters(task, description)),
            _part("Graph", lambda: graph_svg(description, current=task.key.step)),
            _part("Artifacts", lambda: _artifacts(task, description)),
            _part("Code", lambda: self._code(task)),
        ]
        body = join(header, tag("main", *sections), _footer(task))
        return page_html(task.pathspec, body)

    def _code(self, task: Task) -> Html:
        method = getattr(type(self.flow), task.key.step, None) if self.flow is not None else None
        if method is None:
            return Html("")
        try:
            code = textwrap.dedent(inspect.getsource(method))
        except (OSError, TypeError):
            return Html("")
        return rendered(PythonCode(code_string=code))


def _part(title: str, make: Any) -> Html:
    """Make a section; without content there is none, and what raises is told in its place."""
    try:
        content = make()
    except Exception as error:  # artifacts run code of users as they load
        content = fault("this part could not be made", error)
    return tag("section", tag("h2", title), content) if content else Html("")


def _trail(task: Task) -> Html:
    return tag("p", " / ".join(task.path_components), class_="trail")


def _title(task: Task) -> Html:
    status = task.status
    return tag(
        "div",
        tag("h1", task.key.step),
        tag("span", status, class_=f"pill {status}"),
        class_="title",
    )


def _about(description: FlowDescription, task: Task) -> Html:
    doc = next((node.doc for node in description.nodes if node.name == task.key.step), "")
    return tag("p", doc, class_="about") if doc else Html("")


def _facts(task: Task) -> Html:
    began, ended = task.created_at, task.finished_at
    facts = task.metadata_dict
    duration = _duration((ended - began).total_seconds()) if began and ended else "still running"
    told = {
        "Run": task.run.pathspec,
        "Attempt": str(task.current_attempt),
        "Started": _moment(began),
        "Took": duration,
        "CPU": _duration(float(facts["cpu_s"])) if ended else "",
        "Memory": _size(int(facts["peak_memory_bytes"])) if ended else "",
        "User": task.run.user,
        "Python": facts.get("python_version", ""),
        "Tags": ", ".join(sorted(task.user_tags)),
        "Clone of": task.origin_pathspec or "",
    }
    pairs = (tag("div", tag("dt", name), tag("dd", text)) for name, text in told.items() if text)
    return tag("dl", *pairs, class_="props")


def _failure(task: Task) -> Html:
    failure = task.exception
    return rendered(Error(failure, failure.type_name)) if failure else Html("")


def _parameters(task: Task, description: FlowDescription) -> Html:
    rows = []
    values = task.run.parameters
    for one in description.parameters:
        shown = _loaded(lambda name=one.attribute: getattr(values, name))
        about = tag("p", one.help, class_="note about") if one.help else Html("")
        name = tag("th", one.name, about, scope="row")
        rows.append(tag("tr", name, tag("td", shown)))
    return _facts_table(rows)


def _artifacts(task: Task, description: FlowDescription) -> Html:
    hidden = {one.attribute for one in description.parameters}
    artifacts = [one for one in task if one.id not in hidden]
    rows, images = [], []
    for one in artifacts[:MAX_ARTIFACTS]:
        about = f"{one.type_name}, {_size(one.size)}"
        if one.size > LOAD_LIMIT_BYTES:
            shown = tag("em", "not loaded: it is too large for a card")
        else:
            shown = _loaded(lambda of=one: of.data)
        if "<img " in shown and _is_image(one):
            images.append(tag("figure", shown, tag("figcaption", one.id)))
            shown = tag("em", "shown below")
        name = tag("th", one.id, scope="row")
        rows.append(tag("tr", name, tag("td", shown), tag("td", about, class_="type")))
    more = len(artifacts) - MAX_ARTIFACTS
    note = tag("p", f"and {more:,} more", class_="note") if more > 0 else Html("")
    pictures = tag("div", *images, class_="component") if images else Html("")
    return join(_facts_table(rows), note, pictures)


def _is_image(artifact: Artifact) -> bool:
    return image_bytes(artifact.data) is not None


def _facts_table(rows: Iterable[Html]) -> Html:
    rows = list(rows)
    if not rows:
        return Html("")
    table = tag("table", tag("tbody", *rows), class_="facts-table")
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="table")


def _loaded(load: Any) -> Html:
    """Show a value that has yet to be loaded."""
    try:
        return value_html(load())
    except Exception as error:  # loading runs code of users
        return tag("em", f"cannot be shown: {type(error).__name__}: {error}")


def _footer(task: Task) -> Html:
    version = task.metadata_dict.get("flowkit_version", "")
    return tag("footer", f"made by flowkit {version} for {task.pathspec}")


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(size_bytes: int) -> str:
    size, units = float(size_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" else f"{size:.3g} {units[0]}"
