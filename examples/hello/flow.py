"""The smallest flow: one step leaves a greeting, the next one prints it."""

from flowkit import FlowSpec, step


class Hello(FlowSpec):
    """Say hello."""

    @step
    def start(self):
        self.greeting = "hello, flow"
        self.next(self.end)

    @step
    def end(self):
        print(self.greeting)


if __name__ == "__main__":
    Hello()
