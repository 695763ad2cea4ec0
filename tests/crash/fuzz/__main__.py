"""Fuzz what reads bytes from outside, guided by coverage: `python tests/crash/fuzz SECONDS [NAME]`.

Without a name, all doors take turns, each in a process of its own, for so many seconds. What a door
must not raise, takes longer than 20 s for, or needs more than 2 GB for ends it with the bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one door until the time is over. Never returns."""
    with atheris.instrument_imports(include=["flowkit"]):
        from outside import doors
        from outside_tables import table_doors

        door = {**doors(), **table_doors()}[name]
        for seed in door.seeds:
            door.read(seed)  # what is imported late is instrumented too
    for number, seed in enumerate(door.seeds):
        (folder / f"seed{number}").write_bytes(seed)
    limits = ["-timeout=20", "-rss_limit_mb=2048", f"-max_total_time={seconds}", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder)], door.knock)
    atheris.Fuzz()


def fuzz_all(seconds: int) -> int:
    """Fuzz every door in turn; return how many gave way."""
    from outside import doors
    from outside_tables import table_doors

    given_way = []
    for name in {**doors(), **table_doors()}:
        done = subprocess.run(
            [sys.executable, __file__, str(seconds), name],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        print(f"{name}: {'holds' if done.returncode == 0 else 'GIVES WAY'}", flush=True)
        if done.returncode:
            given_way.append(name)
            print(done.stdout[-3000:], done.stderr[-1000:], flush=True)
    return len(given_way)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [seconds]:
            sys.exit(fuzz_all(int(seconds)))
        case [seconds, name]:
            with tempfile.TemporaryDirectory() as folder:
                fuzz(name, int(seconds), Path(folder))
        case _:
            sys.exit(__doc__)
