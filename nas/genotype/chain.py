"""A network of a chain: the file between a search of a chain and everything after it (no torch)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.errors import ChainError, SearchSpaceError, close_matches, shown
from nas.genotype.document import MAX_BYTES, read_document, write_document
from nas.genotype.frontier import FILE_NAME as FRONTIER_NAME
from nas.space import Block, ChainSpace
from nas.space.chain_cost import count_chain
from nas.space.chain_files import chain_document, parse_chain
from nas.strict_yaml import is_directory, is_file, read_text

FORMAT = "sandglass-nas network"
VERSION = 1
FILE_NAME = "network.json"
_SPACE_KEYS = ("name", "family", "image_size", "width_mult", "stem", "first", "stages", "last")
"""None has a default in a result: with another value it would be another network."""
_MAX_CLASSES, _MAX_IMAGE_SIZE = 100_000, 1024
"""What the programs take; a larger number in a file is a fault."""


@dataclass(frozen=True)
class Chain:
    """A network of a space: the block of each layer, and so the depth of each stage.

    Two chains are equal when their spaces (with the width multiplier) and their blocks are; where
    they come from does not count.
    """

    space: ChainSpace
    """The space, at the width multiplier of the network."""
    stages: tuple[tuple[str, ...], ...]
    """For each stage the candidate of each of its layers. A candidate that is the same block as an
    earlier one is replaced by that."""
    search: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The search that found it: `method`, `seed`, `commit`, `num_classes`, ..."""

    def __post_init__(self) -> None:
        if not isinstance(self.stages, list | tuple):
            raise ChainError(
                f"stages: expected a list of lists of names, found {shown(self.stages)}"
            )
        if len(self.stages) != len(self.space.stages):
            raise ChainError(
                f"stages: found {len(self.stages)}, but space {self.space.name!r} has "
                f"{len(self.space.stages)}"
            )
        stages = (self._checked(number, names) for number, names in enumerate(self.stages))
        object.__setattr__(self, "stages", tuple(stages))

    @classmethod
    def uniform(cls, space: ChainSpace, candidate: str, depths: Sequence[int]) -> "Chain":
        """Return the network that has one candidate everywhere.

        MobileNeXt is `Chain.uniform(load_space("mobilenext_chain"), "sandglass_t6_k3",
        (3, 3, 4, 4, 3))`.

        Raises:
            ChainError: The space does not have it.
        """
        return cls(space, tuple((candidate,) * depth for depth in depths))

    @property
    def family(self) -> str:
        """The family of its space, a key of `nas.space.FAMILIES`."""
        return self.space.family

    @property
    def width_mult(self) -> float:
        """The width multiplier."""
        return self.space.width_mult

    @property
    def depths(self) -> tuple[int, ...]:
        """The number of layers of each stage."""
        return tuple(map(len, self.stages))

    @property
    def num_classes(self) -> int:
        """Of the images that it was searched on; 1000 where the search does not say."""
        return self._searched("num_classes", 1000, _MAX_CLASSES)

    @property
    def image_size(self) -> int:
        """Of the images that it was searched on; that of its space where the search is silent."""
        return self._searched("image_size", self.space.image_size, _MAX_IMAGE_SIZE)

    def _searched(self, name: str, otherwise: int, largest: int) -> int:
        found = self.search.get(name)
        return found if type(found) is int and 0 < found <= largest else otherwise

    @property
    def layers(self) -> tuple[Block, ...]:
        """The blocks that were chosen, in order, without the fixed ones."""
        return tuple(
            layer.blocks[name]
            for number, names in enumerate(self.stages)
            for layer, name in zip(self.space.layers_of(number), names, strict=False)
        )

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks between stem and pooling, in order."""
        return (*self.space.first_blocks, *self.layers, *self.space.last_blocks)

    def at_size(self, image_size: int) -> "Chain":
        """Return the same network for images of another size than those of the search."""
        search = {key: value for key, value in self.search.items() if key != "image_size"}
        return replace(self, space=self.space.at_size(image_size), search=search)

    def placed(self) -> list[tuple[str, str, Block, int]]:
        """Return for each block its place in words, its candidate and its rows of input."""
        fixed = self.space.fixed_blocks()
        first, last = fixed[: len(self.space.first)], fixed[len(self.space.first) :]
        return [
            *(
                ("before", one.candidate.name, *at)
                for one, at in zip(self.space.first, first, strict=True)
            ),
            *(
                (f"stage {number}", name, layer.blocks[name], layer.in_size)
                for number, names in enumerate(self.stages)
                for layer, name in zip(self.space.layers_of(number), names, strict=False)
            ),
            *(
                ("after", one.candidate.name, *at)
                for one, at in zip(self.space.last, last, strict=True)
            ),
        ]

    def count(
        self, quantity: str, image_size: int | None = None, num_classes: int | None = None
    ) -> int:
        """Count multiply-adds ("madds") of one image, or "parameters", without building it.

        Args:
            quantity: "madds" or "parameters".
            image_size: Rows and columns of the images; None takes `self.image_size`.
            num_classes: Of the data set; None takes `self.num_classes`.
        """
        size = self.image_size if image_size is None else image_size
        classes = self.num_classes if num_classes is None else num_classes
        return int(count_chain(quantity, self.space, size, classes).of(self.stages))

    def to_json(self) -> str:
        """Write the versioned JSON document of network.json.

        Raises:
            ChainError: A number in `search` is not finite, which JSON cannot say.
        """
        document = {
            "format": FORMAT,
            "version": VERSION,
            "stages": self.stages,
            "space": chain_document(self.space),
        }
        return write_document(
            document | ({"search": self.search} if self.search else {}), ChainError
        )

    @classmethod
    def from_json(cls, text: str, where: str = "network") -> "Chain":
        """Read a document that `to_json` wrote.

        Args:
            text: The JSON document, at most 1 MiB.
            where: Its name, for messages.

        Raises:
            ChainError: The text is cut short, is of another format or version, or its blocks are
                not of its space.
        """
        document = read_document(
            text, where, ChainError, what="network", format=FORMAT, version=VERSION
        )
        known = {"format", "version", "stages", "space", "search"}
        if unknown := sorted(document.keys() - known):
            near = close_matches(unknown[0], sorted(known))
            raise ChainError(f"{where}: unknown key {shown(unknown[0])}; {near}")
        for key, kind, word in (
            ("stages", list, "a list of lists of names"),
            ("space", dict, "an object"),
            ("search", dict, "an object"),
        ):
            value: Any = document.get(key, {} if key == "search" else None)
            if not isinstance(value, kind):
                raise ChainError(f"{where}: {key}: expected {word}, found {shown(value)}")
        for key in _SPACE_KEYS:
            if key not in document["space"]:
                raise ChainError(f"{where}: space: the key {key} is missing; was the file edited?")
        try:
            space = parse_chain(document["space"], f"{where}: space", "unnamed")
            return cls(space, document["stages"], document.get("search", {}))
        except SearchSpaceError as cause:
            raise ChainError(str(cause)) from cause
        except ChainError as cause:
            raise ChainError(f"{where}: {cause}") from cause

    def _checked(self, number: int, names: Any) -> tuple[str, ...]:
        stage, where = self.space.stages[number], f"stages[{number}]"
        if not isinstance(names, list | tuple):
            raise ChainError(f"{where}: expected a list of candidates, found {shown(names)}")
        if len(names) not in stage.depths:
            raise ChainError(
                f"{where}: found {len(names)} layers, but the depth is one of "
                f"{', '.join(map(str, stage.depths))} in space {self.space.name!r}"
            )
        checked = []
        for layer, name in zip(self.space.layers_of(number), names, strict=False):
            kept = layer.merged.get(name, name) if isinstance(name, str) else name
            if kept not in list(layer.blocks):
                raise ChainError(
                    f"{where}[{layer.index}]: {shown(name)} is no candidate of space "
                    f"{self.space.name!r}; {close_matches(str(name), layer.blocks)}"
                )
            checked.append(kept)
        return tuple(checked)


def load_chain(text: str | Path) -> Chain:
    """Load a network of a chain.

    Args:
        text: The path of a network.json or of the run directory that has one, or the JSON itself.

    Raises:
        ChainError: The file does not exist, or does not hold a network.
    """
    text = str(text).strip()
    path = Path(text)
    if text and is_directory(path):
        if is_file(path / FRONTIER_NAME):
            raise ChainError(
                f"{path}: has several networks ({FRONTIER_NAME}); name the folder of one of them"
            )
        path = path / FILE_NAME
        if not is_file(path):
            raise ChainError(
                f"{path}: does not exist; a search of a chain writes it at its end, so has the "
                "search of this run directory finished?"
            )
    if is_file(path):
        return Chain.from_json(read_text(path, ChainError, MAX_BYTES), str(path))
    if text.startswith("{"):
        return Chain.from_json(text)
    raise ChainError(
        f"network {shown(text)}: there is no file of this name; give a network.json, a run "
        "directory that has one, or random:SEED"
    )


def names_chain(text: str | Path) -> bool:
    """Whether a text names a network of a chain, for `load_chain`, or is one."""
    text = str(text).strip()
    if text.startswith("{"):
        return FORMAT in text
    path = Path(text)
    if text and is_directory(path):
        return is_file(path / FILE_NAME) or is_file(path / FRONTIER_NAME)
    return path.suffix == ".json" and is_file(path) and _says_so(path)


def _says_so(path: Path) -> bool:
    with path.open(errors="replace") as stream:
        return FORMAT in stream.read(1 << 12)  # the format comes first
