"""What chains are compared with: MobileNeXt and MobileNetV2 at their widths (no torch).

Source: MobileNeXt (arXiv:2007.02269), Table 3 for the widths; MobileNetV2 (arXiv:1801.04381).
"""

from dataclasses import dataclass

from nas.errors import ChainError
from nas.genotype.chain import Chain
from nas.space import ChainSpace, load_chain_space

WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.4)


@dataclass(frozen=True)
class Reference:
    """A published network at a width multiplier."""

    name: str
    chain: Chain
    """As a point of the space that ships for it."""

    @property
    def label(self) -> str:
        """Its name and its width multiplier."""
        return f"{self.name} {self.chain.width_mult:g}"


def as_point_of(space: ChainSpace, chain: Chain) -> Chain | None:
    """Return the same network as a point of another space; None where it is none.

    Args:
        space: At its width multiplier.
        chain: A network of any space.
    """
    try:
        point = Chain(space, chain.stages)
    except ChainError:
        return None
    stems = [(one.stem_channels, one.stem.stride) for one in (space, chain.space)]
    return point if stems[0] == stems[1] and point.blocks == chain.blocks else None


def references() -> list[Reference]:
    """Return MobileNeXt and MobileNetV2 at all their widths."""
    return [
        Reference(name, Chain.uniform(load_chain_space(space).at_width(width), candidate, depths))
        for name, space, candidate, depths in (
            ("MobileNeXt", "mobilenext_chain", "sandglass_t6_k3", (3, 3, 4, 4, 3)),
            ("MobileNetV2", "mobilenetv2_chain", "inverted_residual_e6_k3", (2, 3, 4, 3, 3, 1)),
        )
        for width in WIDTHS
    ]
