"""`nas quantize`: an exported network in 8 bits, and what that changes."""

from collections.abc import Sequence

from nas.cli.command import run_command
from nas.deploy.options import QuantizeSettings, check_extra


def main(argv: Sequence[str] | None = None, prog: str = "nas quantize") -> int:
    """Run the command; returns its exit code."""
    return run_command(
        QuantizeSettings, _quantize, prog=prog, argv=argv, positional={"model": "MODEL.onnx"}
    )


def _quantize(settings: QuantizeSettings) -> None:
    check_extra()
    from nas.deploy.commands import quantize_network  # torch is imported here

    print(quantize_network(settings).text())
