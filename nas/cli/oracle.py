"""`nas oracle`: judge searches by a table in which the accuracy of every cell is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.cli.command import run_command
from nas.config.fields import setting
from nas.errors import ConfigError

_PICTURE = "regret.png"


@dataclass(frozen=True)
class OracleSettings:
    """Judge searches by a table in which the accuracy of every cell is known.

    Prints accuracy, rank, percentile and regret, for a single search at each epoch, and what random
    cells reach; draws the regret over the epochs. Runs that differ only in their seed are compared
    as a group. docs/nasbench201.md says how to make a table.
    """

    table: str = setting(is_path=True)
    """A CSV file, also compressed (.csv.gz): arch, then a column of accuracies for each data
    set."""
    subjects: tuple[str, ...] = setting(is_path=True)
    """Run directories of searches, architectures such as '|skip_connect~0|+...', or files with a
    genotype."""
    dataset: str | None = None
    """The column of the table; null is the first."""
    out: str | None = setting(None, is_path=True)
    """The picture; null is regret.png in the run directory of a single search, else here."""

    def __post_init__(self) -> None:
        if self.out == "":
            raise ConfigError("out: expected the path of a file, found ''")


def main(argv: Sequence[str] | None = None, prog: str = "nas oracle") -> int:
    """Run the command; returns its exit code."""
    positional = {"table": "TABLE", "subjects": "RUN|ARCHITECTURE"}
    return run_command(OracleSettings, oracle, prog=prog, argv=argv, positional=positional)


def oracle(settings: OracleSettings) -> None:
    """Print the tables and write the picture."""
    from nas.files import write_files
    from nas.oracle.figure import regret_figure
    from nas.oracle.judge import judge
    from nas.oracle.table import read_table
    from nas.oracle.text import describe
    from nas.png import png_bytes

    table = read_table(settings.table, settings.dataset)
    judged = judge(table, settings.subjects)
    print(describe(table, judged))
    figure = regret_figure(table, judged)
    if figure is None:
        if settings.out is not None:
            raise ConfigError("out: nothing to draw: no search with epochs is named; leave it out")
        return
    folder = settings.subjects[0] if len(judged) == 1 else "."
    out = Path(settings.out or Path(folder) / _PICTURE)
    print(f"\n{write_files({out: png_bytes(figure)})[0]}")
