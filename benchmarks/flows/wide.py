"""A wide foreach, for either framework: `FRAMEWORK` is replaced by its name."""

from FRAMEWORK import FlowSpec, Parameter, step


class Wide(FlowSpec):
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
    Wide()
