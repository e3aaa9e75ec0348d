"""`python -m nas.experiments.paper`: the older name of `nas paper`."""

from nas.cli.paper import main

if __name__ == "__main__":
    raise SystemExit(main())
