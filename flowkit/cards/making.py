"""Making the cards of an attempt: live ones beside the step, the last one when it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flowkit import wire
from flowkit.cards.live import live_path, write_live
from flowkit.cards.markup import tag
from flowkit.cards.page import page_html
from flowkit.cards.step_card import StepCard, StepCards, spare_card, warn
from flowkit.cards.template import CardTemplate, find_template
from flowkit.child import ChildFailed, end_child, has_ended, run_in_child, start_child
from flowkit.client import Task, Workspace, workspace_of
from flowkit.errors import FlowkitError, UsageError
from flowkit.graph import CardPolicy, FlowDescription, to_json
from flowkit.masking import hidden
from flowkit.records import StoredCard
from flowkit.store import Store
from flowkit.values import Failure, TaskResult, TaskSpec

CARD_LIMIT_BYTES = 100_000_000


class AttemptCards:
    """The cards of one attempt; `shown` is what the step has as `current.card`.

    Nothing here raises for what a card, a component or a template does.
    """

    def __init__(
        self,
        policies: Sequence[CardPolicy],
        *,
        description: FlowDescription,
        spec: TaskSpec,
        store: Store,
    ) -> None:
        self._spec, self._store = spec, store
        self._flow: Any = None
        self._makers = [
            _Maker(number, policy, description, self) for number, policy in enumerate(policies)
        ]
        self.shown = StepCards(
            self._edited(),
            {one.policy.id: one.card for one in self._makers if one.policy.id is not None},
        )

    def begin(self, flow: object) -> None:
        """Take the flow object that the step runs on."""
        self._flow = flow

    def finish(self, result: TaskResult) -> None:
        """Make and keep all cards of an attempt that has ended."""
        for one in self._makers:
            one.finish(result)

    @property
    def flow(self) -> Any:
        """The flow object that the step runs on."""
        return self._flow

    @property
    def spec(self) -> TaskSpec:
        """What the attempt was told."""
        return self._spec

    @property
    def store(self) -> Store:
        """Where cards are kept."""
        return self._store

    def _edited(self) -> StepCard:
        """Return the card that `current.card.append` is for."""
        editable = [one for one in self._makers if one.is_editable]
        custom = [one for one in editable if one.policy.customize]
        unnamed = [one for one in editable if one.policy.id is None]
        for some in (custom, unnamed, editable):
            if len(some) == 1:
                return some[0].card
        return (custom or unnamed or editable)[0].card if editable else spare_card()


class _Maker:
    """Makes one card, as its decorator says."""

    def __init__(
        self, number: int, policy: CardPolicy, description: FlowDescription, attempt: AttemptCards
    ) -> None:
        self.number, self.policy = number, policy
        self._description, self._attempt = description, attempt
        self._template: type[CardTemplate] | None = None
        self._problem: FlowkitError | None = None
        self._side: tuple[int, float] | None = None
        self._was_live = False
        try:
            self._template = find_template(policy.type)
        except FlowkitError as error:
            self._problem = error
        name = f"card `{policy.id or policy.type}`"
        updatable = bool(getattr(self._template, "RUNTIME_UPDATABLE", False))
        self.card = StepCard(
            name=name,
            is_editable=self.is_editable,
            interval_s=policy.refresh_interval_s,
            render=self._render_beside if updatable else None,
        )

    @property
    def is_editable(self) -> bool:
        """Whether the step may append to it."""
        return bool(getattr(self._template, "ALLOW_USER_COMPONENTS", False))

    def finish(self, result: TaskResult) -> None:
        """Make the card, or one that says why there is none, and keep it."""
        self._end_side()
        spec, store = self._attempt.spec, self._attempt.store
        try:
            card = self._made(result)
            if card is not None:
                store.create_card(spec.run, card)
            if self._was_live:
                live_path(_home(spec), spec.run, spec.attempt, self.number).unlink(missing_ok=True)
        except Exception as error:  # whatever it is, the task has ended well without its card
            warn(f"{self._name} could not be kept: {type(error).__name__}: {error}")

    @property
    def _name(self) -> str:
        return f"card `{self.policy.id or self.policy.type}` of {self._attempt.spec.attempt}"

    def _made(self, result: TaskResult) -> StoredCard | None:
        try:
            if self._problem is not None:
                raise self._problem
            data = run_in_child(lambda: self._render_last(result), limit_s=self.policy.timeout_s)
            return wire.decode(StoredCard, data, name="card")
        except (FlowkitError, OSError) as error:
            message = error.message if isinstance(error, FlowkitError) else str(error)
            warn(f"{self._name} could not be made: {message}")
            if not self.policy.save_errors:
                return None
            return self._stored(error_page(self._name, error), None, kind="error")

    def _render_last(self, result: TaskResult) -> bytes:
        """Render the card of an ended attempt; in a child."""
        spec = self._attempt.spec
        workspace = workspace_of(spec.store.url)
        if workspace.settings.store != spec.store.url:
            raise UsageError("the task cannot see the run it is in: another store is set")
        # The driver tells the index in batches; who tells it first makes no difference.
        workspace.metadata.record_results(spec.run, [result])
        template = self._open_template()
        task = _task(workspace, spec)
        html = template.render(task)
        data = self.card.data
        if data is not None and self._template is not None and self._template.RUNTIME_UPDATABLE:
            data = template.refresh(task, data)
        return self._encoded(html, data)

    def _render_beside(self, data: Any) -> bool:
        """Start a child that renders the card as it is now; False if the last one is at it."""
        if self._side is not None and not has_ended(self._side[0]):
            if time.monotonic() - self._side[1] < self.policy.timeout_s:
                return False
            end_child(self._side[0])
        self._was_live = True
        self._side = (start_child(lambda: self._render_live(data)), time.monotonic())
        return True

    def _render_live(self, data: Any) -> None:
        """Render the card of a running task to its file; in a child."""
        spec, template = self._attempt.spec, self._open_template()
        task = _task(workspace_of(spec.store.url), spec)
        html = template.render_runtime(task, data)
        card = wire.decode(
            StoredCard, self._encoded(html, template.refresh(task, data)), name="card"
        )
        write_live(live_path(_home(spec), spec.run, spec.attempt, self.number), card)

    def _end_side(self) -> None:
        if self._side is not None:
            end_child(self._side[0])

    def _open_template(self) -> CardTemplate:
        assert self._template is not None
        options = {name: json.loads(value) for name, value in self.policy.options}
        given: dict[str, Any] = {
            "options": options,
            "components": self.card.contents if self.is_editable else [],
            "graph": json.loads(to_json(self._description)),
        }
        if _takes_flow(self._template):
            given["flow"] = self._attempt.flow
        return self._template(**given)

    def _encoded(self, html: object, data: Any) -> bytes:
        html = checked_html(html)
        told = None if data is None else json.dumps(data, default=str)
        return wire.encode(self._stored(html, told))

    def _stored(self, html: str, data: str | None, *, kind: str | None = None) -> StoredCard:
        return StoredCard(
            attempt=self._attempt.spec.attempt,
            number=self.number,
            type=kind or self.policy.type,
            id=self.policy.id,
            html=hidden.text(html.encode("utf-8", "replace").decode()),
            data=hidden.text(data) if data is not None else None,
        )


def checked_html(html: object) -> str:
    """Return what a template made, if it is a card. Raises ChildFailed."""
    if not isinstance(html, str):
        raise ChildFailed(f"`render` returned a {type(html).__name__}, not HTML")
    if len(html) > CARD_LIMIT_BYTES:
        raise ChildFailed(f"it has {len(html):,} characters; {CARD_LIMIT_BYTES:,} are allowed")
    return html


def _takes_flow(template: type[CardTemplate]) -> bool:
    """Say whether a template takes the flow; those written for older Metaflow do not."""
    import inspect

    known: Mapping[str, inspect.Parameter] = inspect.signature(template).parameters
    return "flow" in known or any(one.kind is one.VAR_KEYWORD for one in known.values())


def _task(workspace: Workspace, spec: TaskSpec) -> Task:
    pathspec = f"{spec.run}/{spec.attempt.key}"
    return Task(pathspec, spec.attempt.number, workspace=workspace, check_namespace=False)


def _home(spec: TaskSpec) -> Any:
    return workspace_of(spec.store.url).settings.home


def error_page(name: str, error: BaseException) -> str:
    """Return a card that says why there is no other."""
    from flowkit.cards.prose import Error

    message = error.message if isinstance(error, FlowkitError) else str(error)
    failure = Failure(type_name=type(error).__name__, message=message)
    shown = Error(failure, "The card could not be made").render()
    main = tag("main", tag("h1", name), tag("section", shown))
    return page_html(name, main)


def open_cards(
    policies: Sequence[CardPolicy],
    *,
    description: FlowDescription,
    spec: TaskSpec,
    store: Store,
) -> AttemptCards:
    """Open the cards of an attempt that is about to begin."""
    return AttemptCards(policies, description=description, spec=spec, store=store)
