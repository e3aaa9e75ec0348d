"""The different layers that the networks of a chain are made of, each once (no torch).

What is measured layer by layer needs one measurement for each of them: layers that are the same
block on an input of the same size cost the same.
"""

from typing import NamedTuple

from nas.space.blocks import Block
from nas.space.chain import ChainSpace

STEM, HEAD = "stem", "head"
"""The kinds of the two layers that are no block: the first convolution; pooling and classifier."""


class LayerAt(NamedTuple):
    """A layer and its input."""

    block: Block
    size: int
    """Rows and columns of its input."""

    @property
    def out_size(self) -> int:
        """Rows and columns of its output."""
        return -(-self.size // self.block.stride)

    def text(self) -> str:
        """Return the layer in words, such as "sandglass 96 -> 16 -> 96, kernel 3, at 8 x 8"."""
        block = self.block
        channels = [block.in_channels, block.hidden_channels, block.out_channels]
        words = [f"{block.kind} {' -> '.join(str(number) for number in channels if number)}"]
        words += [f"kernel {block.kernel}"] if block.kernel else []
        words += [f"stride {block.stride}"] if block.stride > 1 else []
        words += [f"squeezed to {block.squeeze_channels}"] if block.squeeze_channels else []
        return f"{', '.join(words)}, at {self.size} x {self.size}"


def stem_of(space: ChainSpace, in_channels: int = 3) -> LayerAt:
    """Return the first convolution, with BatchNorm and ReLU6, as a layer of kind "stem"."""
    block = Block(STEM, in_channels, 0, space.stem_channels, space.stem.stride, kernel=3)
    return LayerAt(block, space.image_size)


def head_of(space: ChainSpace, num_classes: int) -> LayerAt:
    """Return pooling and classifier as a layer of kind "head"."""
    size = -(-space.image_size // space.reduction)
    return LayerAt(Block(HEAD, space.num_features, 0, num_classes, 1, kernel=0), size)


def layers_of_chain(
    space: ChainSpace, num_classes: int, in_channels: int = 3
) -> tuple[LayerAt, ...]:
    """Return stem, fixed blocks, all candidates of all layers, and head, without repetition.

    Args:
        space: At its width multiplier and image size.
        num_classes: Of the data set.
        in_channels: Of the images.
    """
    layers = [
        stem_of(space, in_channels),
        *(LayerAt(block, size) for block, size in space.fixed_blocks()),
        *(
            LayerAt(block, layer.in_size)
            for layer in space.layers
            for block in layer.blocks.values()
        ),
        head_of(space, num_classes),
    ]
    return tuple(dict.fromkeys(layers))
