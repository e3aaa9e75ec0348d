"""Search for a cell: `python search.py --space darts+sandglass`; see `--help`.

The same program is installed as the command `nas-search`.
"""

from nas.cli.search import main

if __name__ == "__main__":
    raise SystemExit(main())
