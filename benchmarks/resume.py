"""Resuming beside Metaflow: all tasks but the last are taken over, and that one is run.

Both resume the same run of theirs again and again, with the command that their users give. A
Metaflow run of 1,000 tasks takes minutes, so runs can be kept for the next time.

    python benchmarks/resume.py [--width 200] [--wide 10000] [--kept FOLDER] [--metaflow-env FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from _measuring import (
    METAFLOW,
    alternate,
    metaflow_python,
    new_parser,
    print_heading,
    print_table,
)
from _runs import begin_resumed, resume


def main() -> None:
    """Compare both on one width; then flowkit alone on a larger one."""
    parser = new_parser(__doc__)
    parser.add_argument("--width", type=int, default=200, help="tasks that both take over")
    parser.add_argument("--wide", type=int, default=10_000, help="tasks that flowkit takes over")
    parser.add_argument("--kept", type=Path, help="keep the runs to be resumed here")
    parser.add_argument("--metaflow-env", type=Path, help="keep Metaflow's environment here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = options.kept or folder / "runs"
        peer = metaflow_python(options.metaflow_env or folder / "metaflow")
        print_heading(METAFLOW)
        for width, frameworks in (
            (options.width, ("flowkit", "Metaflow")),
            (options.wide, ("flowkit",)),
        ):
            sides = {}
            for framework in frameworks:
                place = runs / f"{framework} {width}"
                begin_resumed(place, framework, width, peer)
                python = sys.executable if framework == "flowkit" else peer
                sides[framework] = partial(resume, place, framework, width, python)
            print_table(f"resume {width:,} finished tasks", alternate(sides, options.rounds))


if __name__ == "__main__":
    main()
