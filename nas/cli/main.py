"""The `nas` command: its first word names what to do, the rest belongs to that program."""

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import nas
from nas.errors import ConfigError, close_matches, shown
from nas.program import run_program

_PROG = "nas"

_EXAMPLE = (
    "  nas search --dataset shapes --max_images 400 --epochs 2 --init_channels 4 --num_cells 3"
)


class Command(NamedTuple):
    """One word after `nas`."""

    module: str
    """The module in nas.cli whose `main` it calls."""
    summary: str
    """One sentence for the help."""


COMMANDS = {
    "search": Command("search", "Search for a cell."),
    "train": Command("augment", "Train the network of a cell, or a network by name."),
    "evaluate": Command("evaluate", "Measure a trained network on test images."),
    "detect": Command("detect", "Train and measure an object detector."),
    "report": Command("report", "Write the report of a run, or compare runs."),
    "oracle": Command("oracle", "Judge searches by a table of the accuracies of all cells."),
    "draw": Command("draw", "Draw the cells of a genotype."),
    "genotype": Command("genotype", "Convert a genotype between JSON and the text of other codes."),
    "export": Command("export", "Export a network to ONNX or PyTorch, and check it."),
    "quantize": Command("quantize", "Convert an exported network to 8 bits, and measure it."),
    "benchmark": Command("benchmark", "Measure the latency and throughput of networks."),
    "latency": Command("latency", "Measure the layers of a space, for a target of latency."),
    "experiment": Command("experiment", "Run what an experiment still needs, and write its table."),
    "sweep": Command("sweep", "Search in many spaces with many seeds, also on a cluster."),
    "paper": Command("paper", "Print the tables of the MobileNeXt paper next to our numbers."),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names.

    Args:
        argv: The words; None takes those of the process.

    Returns:
        The exit code of the command; 2 if there is no command of this name.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        module = importlib.import_module(f"nas.cli.{COMMANDS[words[0]].module}")
        return module.main(words[1:], f"{_PROG} {words[0]}")
    return run_program(_PROG, lambda: _without_command(words))


def _without_command(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
    elif words[0] == "--version":
        print(nas.__version__)
    else:
        near = close_matches(words[0], COMMANDS)
        raise ConfigError(f"unknown command {shown(words[0])}; {near} (`nas --help` lists them)")


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: nas COMMAND [ARGUMENTS]",
            "",
            "Differentiable architecture search with the sandglass block of MobileNeXt.",
            "",
            "commands:",
            *lines,
            "",
            "`nas COMMAND --help` shows the settings of a command. A first, tiny search:",
            _EXAMPLE,
        ]
    )
