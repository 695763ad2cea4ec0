"""A wide fan-out for Dagster, in its own process: `python wide_dagster.py WIDTH`."""

import sys

from dagster import (
    DagsterInstance,
    DynamicOut,
    DynamicOutput,
    FilesystemIOManager,
    execute_job,
    job,
    op,
    reconstructable,
)


@op(out=DynamicOut(int), config_schema={"width": int})
def start(context):
    """Fan out."""
    for number in range(context.op_config["width"]):
        yield DynamicOutput(number, mapping_key=str(number))


@op
def work(number):
    """Keep a number."""
    return number


@op
def join(numbers):
    """Add the numbers up."""
    return sum(numbers)


@job(resource_defs={"io_manager": FilesystemIOManager(base_dir="dagster")})
def wide():
    """Fan out, and join."""
    join(start().map(work).collect())


if __name__ == "__main__":
    settings = {
        "ops": {"start": {"config": {"width": int(sys.argv[1])}}},
        "execution": {"config": {"in_process": {}}},
        "loggers": {"console": {"config": {"log_level": "ERROR"}}},
    }
    with (
        DagsterInstance.get() as instance,
        execute_job(reconstructable(wide), instance=instance, run_config=settings) as done,
    ):
        print("total is", done.output_for_node("join"))
