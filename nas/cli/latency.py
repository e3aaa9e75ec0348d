"""`nas latency`: measure the operators of a space on this machine, for a target of latency_ms."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.command import run_command
from nas.deploy.options import LatencySettings
from nas.files import write_files


def main(argv: Sequence[str] | None = None, prog: str = "nas latency") -> int:
    """Run the command; returns its exit code."""
    return run_command(LatencySettings, _measure, prog=prog, argv=argv, positional={"out": "FILE"})


def _measure(settings: LatencySettings) -> None:
    from nas.deploy.latency_table import error_table, measure_latency_table  # imports torch

    table = measure_latency_table(settings)
    (path,) = write_files({Path(settings.out): table.to_json().encode()})
    print(error_table(table), path, sep="\n")
