"""`nas benchmark`: latency and throughput of networks."""

from collections.abc import Sequence

from nas.cli.command import run_command
from nas.deploy.options import BenchmarkSettings, check_extra


def main(argv: Sequence[str] | None = None, prog: str = "nas benchmark") -> int:
    """Run the command; returns its exit code."""
    return run_command(
        BenchmarkSettings, _benchmark, prog=prog, argv=argv, positional={"models": "MODEL"}
    )


def _benchmark(settings: BenchmarkSettings) -> None:
    check_extra()
    from nas.deploy.commands import benchmark_networks  # torch is imported here

    print(benchmark_networks(settings).text())
