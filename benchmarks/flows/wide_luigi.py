"""A wide fan-out for luigi: `python wide_luigi.py WIDTH WORKERS`, with as many processes."""

import sys

import luigi


class Work(luigi.Task):
    """Keep a number."""

    number = luigi.IntParameter()

    def output(self):
        return luigi.LocalTarget(f"luigi/{self.number}")

    def run(self):
        with self.output().open("w") as file:
            file.write(str(self.number))


class Join(luigi.Task):
    """Add the numbers up."""

    width = luigi.IntParameter()

    def requires(self):
        return [Work(number=number) for number in range(self.width)]

    def output(self):
        return luigi.LocalTarget("luigi/total")

    def run(self):
        total = 0
        for target in self.input():
            with target.open() as file:
                total += int(file.read())
        with self.output().open("w") as file:
            file.write(str(total))
        print("total is", total)


if __name__ == "__main__":
    width, workers = map(int, sys.argv[1:])
    done = luigi.build(
        [Join(width=width)], local_scheduler=True, workers=workers, log_level="WARNING"
    )
    sys.exit(not done)
