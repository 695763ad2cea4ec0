"""A wide fan-out for redun, kept in a database: `python wide_redun.py WIDTH EXECUTOR`."""

import sys

from redun import Scheduler, task
from redun.config import Config

redun_namespace = "benchmark"
EXECUTOR = sys.argv[2]


@task(executor=EXECUTOR)
def work(number):
    """Keep a number."""
    return number


@task(executor="default")
def join(numbers):
    """Add the numbers up."""
    return sum(numbers)


@task(executor="default")
def main(width):
    """Fan out, and join."""
    return join([work(number) for number in range(width)])


if __name__ == "__main__":
    config = Config(
        {
            "backend": {"db_uri": "sqlite:///redun.db"},
            "executors.default": {"type": "local", "max_workers": "2"},
            "executors.process": {"type": "local", "mode": "process", "max_workers": "2"},
        }
    )
    scheduler = Scheduler(config=config)
    scheduler.load()
    print("total is", scheduler.run(main(int(sys.argv[1]))))
