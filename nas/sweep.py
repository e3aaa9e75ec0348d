"""`python -m nas.sweep`: the older name of `nas sweep`."""

from nas.cli.sweep import main

if __name__ == "__main__":
    raise SystemExit(main())
