"""`python -m nas`: the same as the `nas` command."""

from nas.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
