"""Make a playlist: an hour of the music you wish for, and now and then a surprise."""

import csv
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from random import Random

from flowkit import FlowSpec, IncludeFile, Parameter, UsageError, step

TRACKS = Path(__file__).parent / "tracks.csv"
SURPRISE_SHARE = 0.2


def read_tracks(text):
    """Read the table: one dict for each song of an artist, however many albums it is on."""
    rows = csv.DictReader(StringIO(text, newline=""))
    songs = {(row["artist"], row["title"]): row for row in rows}
    return [song | {"seconds": int(song["seconds"])} for song in songs.values()]


class Playlist(FlowSpec):
    """Fill the time with tracks of one genre, and a few surprises from the others."""

    tracks = IncludeFile(default=str(TRACKS), parser=read_tracks, help="table of tracks")
    genre: str = Parameter(default="Jazz", help="the music you wish for")
    minutes: int = Parameter(default=60, help="how long it may play")
    seed: int = Parameter(default=7, help="another seed, another list")

    @step
    def start(self):
        genres = {track["genre"].casefold(): track["genre"] for track in self.tracks}
        if self.genre.casefold() not in genres:
            near = get_close_matches(self.genre.casefold(), genres, cutoff=0.5)
            names = ", ".join(f"`{genres[name]}`" for name in near or sorted(genres))
            raise UsageError(f"there is no genre `{self.genre}`", hint=f"try one of {names}")
        self.wish = genres[self.genre.casefold()]
        self.shuffled = Random(self.seed).sample(self.tracks, len(self.tracks))
        self.next(self.fill, self.surprise)

    @step
    def fill(self):
        wished = [track for track in self.shuffled if track["genre"] == self.wish]
        self.wished = fitting(wished, self.minutes * 60 * (1 - SURPRISE_SHARE))
        print(f"{len(self.wished)} of {len(wished)} tracks of {self.wish}")
        self.next(self.arrange)

    @step
    def surprise(self):
        others = {track["genre"]: track for track in self.shuffled if track["genre"] != self.wish}
        self.surprises = fitting(others.values(), self.minutes * 60 * SURPRISE_SHARE)
        print(f"{len(self.surprises)} surprises from {len(others)} other genres")
        self.next(self.arrange)

    @step
    def arrange(self, inputs):
        self.merge_artifacts(inputs)
        self.playlist = list(self.wished)
        gap = len(self.wished) / (len(self.surprises) + 1)
        for number, track in enumerate(self.surprises):
            self.playlist.insert(round((number + 1) * gap) + number, track)
        self.next(self.end)

    @step
    def end(self):
        print(f"{'at':>6}  {'title':<32}  {'artist':<24}  genre")
        at_s = 0
        for track in self.playlist:
            print(f"{clock(at_s):>6} ", "{title:<32.32}  {artist:<24.24}  {genre}".format(**track))
            at_s += track["seconds"]
        print(f"{clock(at_s):>6}  {len(self.playlist)} tracks, at most {clock(self.minutes * 60)}")


def fitting(tracks, time_s):
    """Take each track that still fits into the time."""
    taken = []
    for track in tracks:
        if track["seconds"] <= time_s:
            taken.append(track)
            time_s -= track["seconds"]
    return taken


def clock(time_s):
    """Write a time as minutes and seconds."""
    return f"{time_s // 60}:{time_s % 60:02}"


if __name__ == "__main__":
    Playlist()
