"""`python -m nas.experiments`: the older name of `nas experiment`."""

from nas.cli.experiment import main

if __name__ == "__main__":
    raise SystemExit(main())
