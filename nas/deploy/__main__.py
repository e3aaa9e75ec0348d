"""`python -m nas.deploy export|quantize|benchmark`: the older name of `nas export` and so on."""

from nas.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
