"""frontier.json: the networks of several costs that one supernet led to (no torch)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import ChainError
from nas.genotype.document import MAX_BYTES, read_document, write_document
from nas.strict_yaml import read_text

FORMAT = "sandglass-nas frontier"
VERSION = 1
FILE_NAME = "frontier.json"


@dataclass(frozen=True)
class Point:
    """A network and its accuracy in the supernet."""

    name: str
    """The folder of a network that was found, or the name of a published one."""
    cost: float | None
    """In the quantity of the targets; None where it is not known: a latency that no table has."""
    madds: int
    """Multiply-adds of one image of the search."""
    parameters: int
    accuracy: float | None
    """With the weights of the supernet, in percent; None where it does not contain the network."""
    target: float | None = None
    """What the cost should be; None of a published network."""


@dataclass(frozen=True)
class Frontier:
    """Several networks, and published ones to compare them with."""

    quantity: str
    """What the targets are of: madds, parameters or latency_ms."""
    supernet: Mapping[str, Any]
    """Where the weights come from: space, method, epochs, seed, data set and the batches that each
    network was tested on."""
    networks: tuple[Point, ...]
    references: tuple[Point, ...]

    def to_json(self) -> str:
        """Write the versioned document."""
        document = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}
        return write_document(document, ChainError)


def read_frontier(path: Path) -> Frontier:
    """Read a file that `Frontier.to_json` wrote.

    Raises:
        ChainError: It is cut short, or is of another format or version.
    """
    text = read_text(path, ChainError, MAX_BYTES)
    document = read_document(
        text, str(path), ChainError, what="frontier", format=FORMAT, version=VERSION
    )
    try:
        networks, references = (
            tuple(Point(**point) for point in document[key]) for key in ("networks", "references")
        )
        return Frontier(document["quantity"], document["supernet"], networks, references)
    except (KeyError, TypeError) as cause:
        raise ChainError(f"{path}: not a frontier: {cause!r}") from cause
