"""`nas export`: a network as .onnx or .pt2, checked against PyTorch."""

from collections.abc import Sequence

from nas.cli.command import run_command
from nas.deploy.options import ExportSettings, check_extra


def main(argv: Sequence[str] | None = None, prog: str = "nas export") -> int:
    """Run the command; returns its exit code."""
    return run_command(ExportSettings, _export, prog=prog, argv=argv, positional={"model": "MODEL"})


def _export(settings: ExportSettings) -> None:
    check_extra()
    from nas.deploy.commands import export_network  # torch is imported here

    print(export_network(settings).text())
