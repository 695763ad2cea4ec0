"""Write a field guide to the penguins of an island, from a table of measured birds."""

import csv
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import Literal

from flowkit import FlowSpec, IncludeFile, Parameter, step

HERE = Path(__file__).parent
MEASURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")


def read_birds(text):
    """Read the table: one dict for each bird, without the birds that were not measured."""
    birds = list(csv.DictReader(text.splitlines()))
    return [bird for bird in birds if all(bird[measure] != "NA" for measure in MEASURES)]


class Penguins(FlowSpec):
    """Say which penguins live on an island, and how to tell them apart."""

    birds = IncludeFile(
        default=str(HERE / "penguins.csv"),
        parser=read_birds,
        help="table of measured birds",
    )
    island: Literal["all", "Biscoe", "Dream", "Torgersen"] = Parameter(
        default="all", help="the island that the guide is for"
    )

    @step
    def start(self):
        self.seen = [bird for bird in self.birds if self.island in ("all", bird["island"])]
        print(f"{len(self.seen)} of {len(self.birds)} birds")
        self.next(self.count, self.measure)

    @step
    def count(self):
        self.species = Counter(bird["species"] for bird in self.seen).most_common()
        self.next(self.write)

    @step
    def measure(self):
        by_species = defaultdict(list)
        for bird in self.seen:
            by_species[bird["species"]].append(bird)
        self.typical = {
            species: {measure: mean(float(bird[measure]) for bird in birds) for measure in MEASURES}
            for species, birds in by_species.items()
        }
        self.next(self.write)

    @step
    def write(self, inputs):
        self.merge_artifacts(inputs)
        lines = [f"{'species':<10}{'seen':>5}{'bill mm':>13}{'flipper mm':>12}{'mass g':>8}"]
        for species, seen in self.species:
            size = self.typical[species]
            bill = f"{size['bill_length_mm']:.1f} x {size['bill_depth_mm']:.1f}"
            flipper, mass = size["flipper_length_mm"], size["body_mass_g"]
            lines.append(f"{species:<10}{seen:>5}{bill:>13}{flipper:>12.0f}{mass:>8.0f}")
        self.guide = "\n".join(lines)
        self.next(self.end)

    @step
    def end(self):
        print(self.guide)


if __name__ == "__main__":
    Penguins()
