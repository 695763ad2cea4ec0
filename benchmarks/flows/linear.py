"""Four steps in a row, for either framework: `FRAMEWORK` is replaced by its name."""

from FRAMEWORK import FlowSpec, step


class Linear(FlowSpec):
    """Do as little as a flow can."""

    @step
    def start(self):
        self.total = 1
        self.next(self.double)

    @step
    def double(self):
        self.total *= 2
        self.next(self.triple)

    @step
    def triple(self):
        self.total *= 3
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)


if __name__ == "__main__":
    Linear()
