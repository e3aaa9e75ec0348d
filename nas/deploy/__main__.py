"""Export, quantize and time networks: `python -m nas.deploy export|quantize|benchmark`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import NoReturn

from nas.deploy.options import BenchmarkSettings, ExportSettings, QuantizeSettings, check_extra
from nas.errors import ConfigError
from nas.program import run_program

_PROG = "python -m nas.deploy"
_SETTINGS = {
    "export": ExportSettings,
    "quantize": QuantizeSettings,
    "benchmark": BenchmarkSettings,
}
_MODEL = (
    "a checkpoint of augment.py, its run directory, or a name with settings, as in "
    "mobilenext_1.0,identity_ratio=1/2 or DARTS_V2,num_cells=20"
)


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; try --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three commands.

    Args:
        argv: The arguments; None takes those of the process.

    Returns:
        0, or 2 for an error that the user can fix.
    """
    names = {field.name for settings in _SETTINGS.values() for field in fields(settings)}
    return run_program(_PROG, lambda: _deploy(sys.argv[1:] if argv is None else argv), names)


def _deploy(argv: Sequence[str]) -> None:
    arguments = vars(_parser().parse_args(argv))
    command = arguments.pop("command")
    for name, value in arguments.items():
        if isinstance(value, list):
            arguments[name] = tuple(value)
    settings = _SETTINGS[command](**arguments)
    check_extra()

    from nas.deploy import commands  # torch comes in here

    run = {
        "export": commands.export_network,
        "quantize": commands.quantize_network,
        "benchmark": commands.benchmark_networks,
    }[command]
    print(run(settings).text())


def _parser() -> _Parser:
    parser = _Parser(
        prog=_PROG,
        description="Take a network to where it is used: export it, bring it to 8 bits, time it.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    _add_export(commands)
    _add_quantize(commands)
    _add_benchmark(commands)
    return parser


def _add_export(commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write .onnx or .pt2, and check it against PyTorch",
        description="Write a network as .onnx or .pt2 and check its logits against PyTorch's.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("model", metavar="CHECKPOINT_OR_MODEL", help=_MODEL)
    parser.add_argument("--out", required=True, help="the file; ends in .onnx or .pt2")
    parser.add_argument(
        "--image_size", type=int, help="pixels, for a name; a checkpoint has its own"
    )
    parser.add_argument(
        "--data",
        help="folder of the data set, whose test images are used for the check; without it images "
        "are drawn by the program",
    )
    parser.add_argument("--opset", type=int, help="of .onnx (default 18)")
    _add_plugins(parser)


def _add_quantize(commands) -> None:
    parser = commands.add_parser(
        "quantize",
        help="bring an exported network to INT8, and measure what that costs and gains",
        description="Post-training static INT8. Calibrates on training images of a folder, and "
        "prints accuracy on its test images, size and latency before and after.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("model", metavar="MODEL.onnx", help="what export wrote")
    parser.add_argument(
        "--data",
        help="the folder of the data set that the network was trained on; none for shapes",
    )
    parser.add_argument("--out", help="the file (default: MODEL_int8.onnx)")
    parser.add_argument(
        "--calibration",
        help="minmax, percentile, entropy (KL divergence, as in TensorRT), or best (default): the "
        "most accurate of the three on the calibration images",
    )
    parser.add_argument(
        "--percentile", type=float, help="values inside the range, percent (default 99.99)"
    )
    parser.add_argument(
        "--weights",
        choices=("per_channel", "per_tensor"),
        help="one scale for each output channel (default) or for each tensor",
    )
    parser.add_argument(
        "--activations",
        help="uint8 (default; fast on CPUs) or int8 (symmetric, as TensorRT's)",
    )
    parser.add_argument("--calibration_images", type=int, help="training images (default 500)")
    parser.add_argument("--chunk", type=int, help="images whose activations are held at once")
    parser.add_argument("--seed", type=int, help="chooses the images")
    parser.add_argument("--threads", type=int, help="of the latency (default 1)")


def _add_benchmark(commands) -> None:
    parser = commands.add_parser(
        "benchmark",
        help="time networks in PyTorch and ONNX Runtime",
        description="Latency at batch 1 and throughput of networks in several engines, in one run.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help=f"{_MODEL}; or an .onnx file, timed as it is"
    )
    parser.add_argument(
        "--engines",
        nargs="+",
        help="some of eager, compiled, onnx_fp32, onnx_int8 (default: all); not of .onnx files",
    )
    parser.add_argument(
        "--image_size",
        type=int,
        help="pixels, for networks by name; checkpoints and .onnx files among them keep their own",
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        help="of every engine; several are measured one after the other (default 1)",
    )
    parser.add_argument("--batch_size", type=int, help="of the throughput (default 32)")
    parser.add_argument("--calls", type=int, help="timed calls (default 100)")
    parser.add_argument("--out", help="folder for latency.json, latency.md and latency.png")
    _add_plugins(parser)


def _add_plugins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plugins", nargs="+", help="modules with operators of a genotype")


if __name__ == "__main__":
    raise SystemExit(main())
