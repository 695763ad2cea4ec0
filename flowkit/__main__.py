"""`python -m flowkit`: the command line."""

from flowkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
