"""`nas report`: the report of a run, and the comparison of several."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.cli.command import run_command
from nas.config.fields import setting
from nas.errors import ConfigError, ReportError

_DEFAULT_OUT = "comparison.html"


@dataclass(frozen=True)
class ReportSettings:
    """Write report.html and curves.png of each run, and compare several runs."""

    runs: tuple[str, ...] = setting(is_path=True)
    """Run directories."""
    out: str | None = setting(None, is_path=True)
    """The file of the comparison of several runs; null is comparison.html."""
    gif: bool = False
    """Also write cells.gif, the cells over the epochs."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise ConfigError("runs: expected at least one run directory")
        if self.out is not None and len(self.runs) == 1:
            raise ConfigError(
                "`out` has an effect only with several runs; name another, or leave it out"
            )
        if self.out == "":
            raise ConfigError("out: expected the path of a file, found ''")


def main(argv: Sequence[str] | None = None, prog: str = "nas report") -> int:
    """Run the command; returns its exit code."""
    return run_command(ReportSettings, report, prog=prog, argv=argv, positional={"runs": "RUN"})


def report(settings: ReportSettings) -> None:
    """Write the reports and print their paths."""
    from nas.report.cells.animation import write_gif
    from nas.report.comparison import write_comparison
    from nas.report.html import write_report
    from nas.report.run import read_run

    runs = [read_run(path) for path in settings.runs]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise ReportError("a run directory is named twice; name each once")
    for path in settings.runs:
        print(write_report(path))
        if settings.gif:
            print(write_gif(path))
    if len(settings.runs) > 1:
        print(write_comparison(settings.runs, settings.out or _DEFAULT_OUT))
