"""Train a found cell from scratch: `python augment.py --genotype DARTS_V2`; see `--help`.

The same program is installed as the command `nas-augment`.
"""

from nas.cli.augment import main

if __name__ == "__main__":
    raise SystemExit(main())
