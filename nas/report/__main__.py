"""`python -m nas.report`: the older name of `nas report`."""

from nas.cli.report import main

if __name__ == "__main__":
    raise SystemExit(main())
