"""The inputs of a join, opened one at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from flowkit.flow.spec import FlowSpec

KEPT_OPEN = 64


@Sequence.register
class Inputs:
    """The tasks that a join joins, in split order.

    By index (`inputs[0].x`), by iteration, and by step name (`inputs.a.x`) where branches have
    different steps. Each input is a flow object that reads that task's artifacts; it is opened
    when asked for, so a join of 100,000 costs no list of 100,000.

    It counts as a sequence without the methods of one: `inputs.count` is the step `count`.
    """

    __slots__ = ("_count", "_open_input", "_recent", "_steps")

    def __init__(
        self, count: int, steps: tuple[str, ...], open_input: Callable[[int], FlowSpec]
    ) -> None:
        self._count, self._steps, self._open_input = count, steps, open_input
        self._recent: OrderedDict[int, FlowSpec] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FlowSpec: ...
    @overload
    def __getitem__(self, index: slice) -> list[FlowSpec]: ...
    def __getitem__(self, index: int | slice) -> FlowSpec | list[FlowSpec]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        at = range(self._count)[index]
        if at in self._recent:
            self._recent.move_to_end(at)
        else:
            self._recent[at] = self._open_input(at)
            if len(self._recent) > KEPT_OPEN:
                self._recent.popitem(last=False)
        return self._recent[at]

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(self._count))

    def __getattr__(self, step: str) -> Any:
        if step.startswith("_"):
            raise AttributeError(step)
        if len(self._steps) == self._count and step in self._steps:
            return self[self._steps.index(step)]
        if self._count == 1 and step in self._steps:
            return self[0]
        known = ", ".join(f"`{name}`" for name in dict.fromkeys(self._steps))
        raise AttributeError(
            f"no single input comes from a step `{step}`; inputs come from {known}"
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__slots__:
            raise AttributeError(f"`{name}` cannot be set: inputs are read-only; assign to self")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<{self._count} inputs from {', '.join(dict.fromkeys(self._steps))}>"
