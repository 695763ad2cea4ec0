"""A wide foreach of a flow that imports what data work imports: `FRAMEWORK` is replaced."""

import numpy  # noqa: F401
import pandas  # noqa: F401
import pyarrow  # noqa: F401
from FRAMEWORK import FlowSpec, Parameter, step


class WideHeavy(FlowSpec):
    """Fan out over numbers and add them up."""

    width = Parameter("width", default=200)

    @step
    def start(self):
        self.numbers = list(range(self.width))
        self.next(self.work, foreach="numbers")

    @step
    def work(self):
        self.number = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.number for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)


if __name__ == "__main__":
    WideHeavy()
