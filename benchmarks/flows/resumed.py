"""A wide foreach whose last step may fail, for either framework: `FRAMEWORK` is replaced."""

import os

from FRAMEWORK import FlowSpec, Parameter, step


class Resumed(FlowSpec):
    """Fan out over numbers, add them up, and fail at the end if asked to."""

    width = Parameter("width", default=1000)

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
        if os.environ.get("BENCHMARK_FAILS"):
            raise RuntimeError("asked to fail")
        print("total is", self.total)


if __name__ == "__main__":
    Resumed()
