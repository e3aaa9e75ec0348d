"""The record of a chain: layer after layer, a choice of block in each and of depth in each stage.

    stem | first blocks | stages of layers, which are searched | last blocks | pooling, classifier

A stage fixes the width and the stride of its first layer; every layer chooses one of its
candidates; a stage of depth d consists of its first d layers. The alphas of a chain have two groups
of rows: `layers`, one row a layer with a column for each candidate, and `depths`, one row a stage
with a column for each depth (no torch).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import yaml

from nas.errors import SearchSpaceError, shown
from nas.space.blocks import Block, Candidate, distinct
from nas.space.channels import round_channels
from nas.space.families import ChainFamily, get_chain_family

LAYERS, DEPTHS = "layers", "depths"
"""The groups of rows."""


@dataclass(frozen=True)
class Stem:
    """The first convolution, 3x3, with BatchNorm and ReLU6."""

    width: int
    """Output channels at width multiplier 1."""
    stride: int = 2


@dataclass(frozen=True)
class FixedBlock:
    """A block that no search chooses."""

    candidate: Candidate
    width: int
    """Output channels at width multiplier 1."""
    stride: int = 1
    narrows: bool = True
    """Whether a width multiplier below 1 makes it narrower."""


@dataclass(frozen=True)
class Stage:
    """Layers of one width; the first changes it and has the stride."""

    width: int
    """Output channels at width multiplier 1."""
    stride: int
    """Of the first layer."""
    depths: tuple[int, ...]
    """The numbers of layers that it may have, increasing."""
    candidates: tuple[Candidate, ...]
    """What each layer may be, in the order of the columns."""


_Part = Stem | FixedBlock | Stage
_MAX_WIDTH_MULT = 10


def check_width_mult(value: Any, where: str) -> float:
    """Return a width multiplier, or raise SearchSpaceError where it is not in (0, 10]."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= _MAX_WIDTH_MULT:
        raise SearchSpaceError(
            f"{where}: expected a number above 0 and at most {_MAX_WIDTH_MULT}, found "
            f"{shown(value)}"
        )
    return float(value)


@dataclass(frozen=True)
class ChainLayer:
    """A layer of a stage, with the blocks that it may be."""

    stage: int
    """The stage, from 0: a row of `depths`."""
    index: int
    """Its place in the stage, from 0: it exists where the depth is larger."""
    in_size: int
    """Rows and columns of its input, at the space's `image_size`."""
    blocks: dict[str, Block]
    """By the name of the candidate, in order: what the layer may be, each block once."""
    merged: dict[str, str]
    """For each candidate that is left out, the one that is the same block here."""

    @property
    def out_size(self) -> int:
        """Rows and columns of its output."""
        return -(-self.in_size // self.stride)

    @property
    def stride(self) -> int:
        """1 or 2."""
        return next(iter(self.blocks.values())).stride


@dataclass(frozen=True)
class ChainSpace:
    """A space of chains at one width multiplier."""

    name: str
    stem: Stem
    first: tuple[FixedBlock, ...]
    """The blocks between the stem and the stages."""
    stages: tuple[Stage, ...]
    last: tuple[FixedBlock, ...]
    """The blocks between the stages and the pooling."""
    image_size: int = 224
    """Rows and columns of the images that the strides are made for, and that costs are given for
    where nothing else is said."""
    width_mult: float = 1.0
    """What all widths are multiplied by, before they are rounded."""
    family: str = "chain"
    """A key of `nas.space.families.FAMILIES`."""

    @property
    def kind(self) -> ChainFamily:
        """The record of the family."""
        return get_chain_family(self.family)

    def at_width(self, width_mult: float) -> "ChainSpace":
        """Return the same space at another width multiplier.

        Raises:
            SearchSpaceError: It is not in (0, 10].
        """
        return replace(self, width_mult=check_width_mult(width_mult, "width_mult"))

    def at_size(self, image_size: int) -> "ChainSpace":
        """Return the same space for images of another size.

        Raises:
            SearchSpaceError: It is no whole number above 0.
        """
        if type(image_size) is not int or image_size < 1:
            raise SearchSpaceError(
                f"image_size: expected a whole number above 0, found {shown(image_size)}"
            )
        return replace(self, image_size=image_size)

    @property
    def stem_channels(self) -> int:
        """Output channels of the stem."""
        return self._scaled(self.stem.width)

    @cached_property
    def reduction(self) -> int:
        """The factor by which the strides divide rows and columns."""
        parts: list[_Part] = [self.stem, *self.first, *self.stages, *self.last]
        return prod(part.stride for part in parts)

    @cached_property
    def first_blocks(self) -> tuple[Block, ...]:
        """The blocks between the stem and the stages."""
        return self._fixed(self.first, self.stem_channels)

    @cached_property
    def last_blocks(self) -> tuple[Block, ...]:
        """The blocks between the stages and the pooling."""
        return self._fixed(self.last, self._scaled(self.stages[-1].width))

    @cached_property
    def layers(self) -> tuple[ChainLayer, ...]:
        """The searched layers, stage by stage, as many as the largest depths: the rows."""
        layers: list[ChainLayer] = []
        channels = self.first_blocks[-1].out_channels if self.first else self.stem_channels
        size = self._size_after(self.stem, *self.first)
        for number, stage in enumerate(self.stages):
            width = self._scaled(stage.width)
            for index in range(stage.depths[-1]):
                stride = stage.stride if index == 0 else 1
                blocks, merged = distinct(stage.candidates, channels, width, stride)
                layers.append(ChainLayer(number, index, size, blocks, merged))
                channels, size = width, layers[-1].out_size
        return tuple(layers)

    def fixed_blocks(self) -> tuple[tuple[Block, int], ...]:
        """Return each fixed block with the rows and columns of its input."""
        before = (self._size_after(self.stem, *self.first[:i]) for i in range(len(self.first)))
        parts: list[_Part] = [self.stem, *self.first, *self.stages]
        after = (self._size_after(*parts, *self.last[:i]) for i in range(len(self.last)))
        return (
            *zip(self.first_blocks, before, strict=True),
            *zip(self.last_blocks, after, strict=True),
        )

    @property
    def num_features(self) -> int:
        """Channels before the classifier."""
        last = self.last_blocks[-1].out_channels if self.last else 0
        return last or self._scaled(self.stages[-1].width)

    def layers_of(self, stage: int) -> tuple[ChainLayer, ...]:
        """Return the layers of a stage, as many as its largest depth."""
        return tuple(layer for layer in self.layers if layer.stage == stage)

    @cached_property
    def candidates(self) -> tuple[str, ...]:
        """The names of all candidates of all stages, each once: the columns of `layers`."""
        names = (candidate.name for stage in self.stages for candidate in stage.candidates)
        return tuple(dict.fromkeys(names))

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """All depths of all stages, increasing: the columns of `depths`."""
        return tuple(sorted({depth for stage in self.stages for depth in stage.depths}))

    @property
    def groups(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """For each group of alphas what each row may choose: candidates, and depths as text."""
        return {
            LAYERS: tuple(tuple(layer.blocks) for layer in self.layers),
            DEPTHS: tuple(tuple(map(str, stage.depths)) for stage in self.stages),
        }

    def columns(self, group: str) -> tuple[str, ...]:
        """Return the names of the columns of a group."""
        return self.candidates if group == LAYERS else tuple(map(str, self.depths))

    def row_names(self, group: str) -> tuple[str, ...]:
        """Return the names of the rows of a group: stages, and layers in them, from 0."""
        if group == DEPTHS:
            return tuple(f"stage {number}" for number in range(len(self.stages)))
        return tuple(f"stage {layer.stage}, layer {layer.index}" for layer in self.layers)

    def panel_places(self, group: str) -> tuple[tuple[int, int], ...]:
        """Return row and column where a figure draws each row."""
        if group == DEPTHS:
            return tuple((0, number) for number in range(len(self.stages)))
        return tuple((layer.stage, layer.index) for layer in self.layers)

    def mask(self, group: str) -> tuple[tuple[bool, ...], ...]:
        """Return for each row and column of a group whether the row may choose it."""
        columns = self.columns(group)
        return tuple(tuple(name in row for name in columns) for row in self.groups[group])

    @cached_property
    def num_networks(self) -> int:
        """How many networks there are, each counted once."""
        return prod(
            sum(
                prod(len(layer.blocks) for layer in self.layers_of(number)[:depth])
                for depth in stage.depths
            )
            for number, stage in enumerate(self.stages)
        )

    def describe(self) -> str:
        """Count layers and networks, and say which candidates are left out as duplicates."""
        text = (
            f"{len(self.layers)} layers in {len(self.stages)} stages, "
            f"{self.num_networks:.2g} networks"
        )
        merged = self.merged()
        if not merged:
            return text
        more = f" and {len(merged) - 1} more" if len(merged) > 1 else ""
        return f"{text}, left out as duplicates: {merged[0]}{more}"

    def merged(self) -> tuple[str, ...]:
        """Say which candidates are left out because they are the same block as another.

        A kernel size where there is no depthwise convolution is not worth a line; two ratios that
        give the same width are, for they depend on the width multiplier.
        """
        ratios = {one.name: one.ratio for stage in self.stages for one in stage.candidates}
        return tuple(
            f"stage {layer.stage} (width {self._scaled(self.stages[layer.stage].width)}), layer "
            f"{layer.index}: {name} is the same block as {kept}"
            for layer in self.layers
            for name, kept in layer.merged.items()
            if ratios[name] != ratios[kept]
        )

    def to_yaml(self) -> str:
        """Write the space as a file that `load_space` reads back to an equal record."""
        from nas.space.chain_files import chain_document

        document = chain_document(self)
        return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)

    def _scaled(self, width: int, narrows: bool = True) -> int:
        factor = self.width_mult if narrows else max(1.0, self.width_mult)
        return round_channels(width * factor)

    def _fixed(self, blocks: tuple[FixedBlock, ...], in_channels: int) -> tuple[Block, ...]:
        built: list[Block] = []
        for fixed in blocks:
            width = self._scaled(fixed.width, fixed.narrows)
            built.append(fixed.candidate.block_at(in_channels, width, fixed.stride, is_fixed=True))
            in_channels = width
        return tuple(built)

    def _size_after(self, *parts: _Part) -> int:
        size = self.image_size
        for part in parts:
            size = -(-size // part.stride)
        return size
