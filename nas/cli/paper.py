"""`nas paper`: the tables of the MobileNeXt paper next to the numbers of this project."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.cli.command import run_command
from nas.config.fields import setting
from nas.errors import ConfigError
from nas.experiments.paper.tables import ROWS, TITLES


@dataclass(frozen=True)
class PaperSettings:
    """Print the tables of the MobileNeXt paper next to the numbers of this project.

    Parameters and multiply-adds are counted; top-1 is that of finished runs.
    """

    table: int | None = None
    """Print only the table of this number."""
    results: str = setting("runs/imagenet", is_path=True)
    """Folder with the runs of experiments/imagenet/rows/."""

    def __post_init__(self) -> None:
        if self.table is not None and self.table not in TITLES:
            numbers = ", ".join(map(str, sorted(TITLES)))
            raise ConfigError(f"table: expected one of {numbers}, found {self.table}")


def main(argv: Sequence[str] | None = None, prog: str = "nas paper") -> int:
    """Run the command; returns its exit code."""
    return run_command(PaperSettings, paper, prog=prog, argv=argv)


def paper(settings: PaperSettings) -> None:
    """Print the tables as Markdown."""
    from nas.experiments.paper.text import markdown  # torch is imported here

    wanted = [settings.table] if settings.table else [*TITLES]
    rows = [row for row in ROWS if row.table in wanted]
    print(markdown(rows, Path(settings.results)), end="")
