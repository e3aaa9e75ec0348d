"""`nas draw`: the cells of a genotype, or the network of a chain, as pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nas.cli.command import run_command
from nas.config.fields import setting
from nas.errors import ConfigError
from nas.genotype import load_chain, load_genotype
from nas.genotype.chain import names_chain


@dataclass(frozen=True)
class DrawSettings:
    """Draw the cells of a genotype, each in one picture, or a network of a chain."""

    genotype: str = setting(is_path=True)
    """A published name (DARTS_V2), a genotype.json, a network.json, a run directory, or text."""
    out: str = setting(is_path=True)
    """The folder for cell_normal and cell_reduce, or chain; it is created if it does not exist."""
    formats: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg")
    """File formats, separated by commas: png, svg and pdf; cells as pdf need Graphviz's program
    `dot`."""

    def __post_init__(self) -> None:
        if not self.formats:
            raise ConfigError("formats: expected at least one of png, svg, pdf")


def main(argv: Sequence[str] | None = None, prog: str = "nas draw") -> int:
    """Run the command; returns its exit code."""
    return run_command(
        DrawSettings, draw, prog=prog, argv=argv, positional={"genotype": "GENOTYPE"}
    )


def draw(settings: DrawSettings) -> None:
    """Draw and print the paths of the pictures."""
    from nas.space import get_family

    is_chain = names_chain(settings.genotype)
    found = load_chain(settings.genotype) if is_chain else load_genotype(settings.genotype)
    for path in get_family(found.family).load("draw")(found, settings.out, settings.formats):
        print(path)
