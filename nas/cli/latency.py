"""`nas latency`: measure the layers of a space on this machine, for a target of latency_ms."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.command import run_command, run_to_end
from nas.deploy.options import LatencySettings, check_extra
from nas.files import write_files
from nas.space import ChainSpace, load_space

if TYPE_CHECKING:
    from nas.deploy.rounds import Rounds
    from nas.models.chain_latency import ChainLatency


def main(argv: Sequence[str] | None = None, prog: str = "nas latency") -> int:
    """Run the command; returns its exit code."""
    return run_command(LatencySettings, _measure, prog=prog, argv=argv, positional={"out": "FILE"})


def _measure(settings: LatencySettings) -> int:
    space = load_space(settings.space)
    if isinstance(space, ChainSpace):
        return _measure_chain(settings, space)
    from nas.deploy.latency_table import error_table, measure_latency_table  # imports torch

    table = measure_latency_table(settings)
    (path,) = write_files({Path(settings.out): table.to_json().encode()})
    print(error_table(table), path, sep="\n")
    return 0


def _measure_chain(settings: LatencySettings, space: ChainSpace) -> int:
    check_extra()
    from nas.deploy.chain_latency import chain_text, measure_chain  # imports torch

    def finish(result: tuple["ChainLatency", "Rounds"]) -> None:
        table, rounds = result
        (path,) = write_files({Path(settings.out): table.to_json().encode()})
        rounds.remove()
        print(chain_text(table), path, sep="\n")

    return run_to_end(lambda: measure_chain(settings, space), finish)
