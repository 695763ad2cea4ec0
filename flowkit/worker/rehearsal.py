"""Running attempts that count for nothing, so that later ones are quick.

Python rewrites a function's code to quicker instructions once it was called a few times, and much
is made at its first use. A forked child that did all this for itself would do it in its copy of
the memory, page by page, and take it to its end. So the zygote does it once, before it forks.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory

from flowkit.flow import FlowSpec, step
from flowkit.graph import FlowDescription, Kind, Node, Place, Reach
from flowkit.store import Store
from flowkit.values import (
    Attempt,
    Digests,
    Frame,
    RunId,
    StoreAddress,
    TaskKey,
    TaskResult,
    TaskSpec,
)
from flowkit.worker.attempt import run_attempt
from flowkit.worker.loading import LoadedFlow

TURNS = 8
"""After so many calls Python 3.11 and later look for quicker instructions."""


class Rehearsal(FlowSpec):
    """A flow of one step, for an element of a foreach."""

    @step
    def work(self) -> None:
        """Do what most steps do: read an element, set an artifact, go on."""
        self.number = self.input
        self.next(self.work)


def rehearse() -> list[TaskResult]:
    """Run a few tasks of a small flow, in a store that is gone afterwards; returns their results.

    Raises:
        StoreError, OSError: there is no room for temporary files.
    """
    node = Node(
        name="work",
        kind=Kind.LINEAR,
        place=Place(__file__, 1),
        targets=("work",),
        code="0",
        reach=Reach(names=("input",), is_open=False),
    )
    loaded = LoadedFlow(
        flow_class=Rehearsal,
        description=FlowDescription(
            name="Rehearsal", file=__file__, start="work", end="work", nodes=(node,)
        ),
        nodes={"work": node},
        configs={},
        decorators=(),
        wrappers={},
        secrets={},
    )
    results = []
    with TemporaryDirectory(prefix="flowkit-") as folder:
        store = Store.open(folder, sync=False)
        writer = store.write_manifest()
        parameters = writer.commit()
        writer = store.write_manifest()
        writer.add_items(range(TURNS))
        items = writer.commit()
        for index in range(TURNS):
            spec = TaskSpec(
                run=RunId("Rehearsal", "1"),
                attempt=Attempt(TaskKey("work", (index,))),
                flow_file=__file__,
                store=StoreAddress(url=folder, sync=False),
                parameters=parameters,
                inputs=Digests([items]),
                input_steps=("start",),
                frames=(Frame(step="work", items=items, index=index, width=TURNS),),
            )
            results.append(run_attempt(loaded, spec, store))
    return results
