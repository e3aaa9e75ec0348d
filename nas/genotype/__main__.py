"""`python -m nas.genotype`: the older name of `nas genotype`."""

from nas.cli.genotype import main

if __name__ == "__main__":
    raise SystemExit(main())
