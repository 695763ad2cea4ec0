"""A wide fan-out for Prefect, results kept: `python wide_prefect.py WIDTH`."""

import sys

from prefect import flow, task


@task(persist_result=True)
def work(number):
    """Keep a number."""
    return number


@task(persist_result=True)
def join(numbers):
    """Add the numbers up."""
    return sum(numbers)


@flow(log_prints=False, persist_result=True)
def wide(width):
    """Fan out, and join."""
    return join(work.map(range(width)))


if __name__ == "__main__":
    print("total is", wide(int(sys.argv[1])))
