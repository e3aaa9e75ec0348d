"""What the built-in primitives are called and which family each belongs to (no torch).

The operator registry and the diagrams read this one table, so that a picture can be drawn
without torch. Operators of a plug-in describe themselves when they register; a search copies
those descriptions into genotype.json.
"""

from dataclasses import dataclass

OPERATOR_FAMILIES = (
    "separable conv",
    "dilated conv",
    "conv",
    "sandglass",
    "inverted residual",
    "pooling",
    "skip",
    "none",
    "other",
)
"""The families a diagram tells apart; a plug-in that names none is of family 'other'."""


@dataclass(frozen=True)
class Primitive:
    """The name of a primitive in a space, its label in a picture, and its family."""

    name: str
    label: str
    family: str = "other"


BUILT_IN: dict[str, Primitive] = {
    primitive.name: primitive
    for primitive in (
        Primitive("none", "none", "none"),
        Primitive("noise", "noise"),
        Primitive("max_pool_3x3", "max pool 3x3", "pooling"),
        Primitive("avg_pool_3x3", "avg pool 3x3", "pooling"),
        Primitive("skip_connect", "skip", "skip"),
        Primitive("sep_conv_3x3", "sep conv 3x3", "separable conv"),
        Primitive("sep_conv_5x5", "sep conv 5x5", "separable conv"),
        Primitive("sep_conv_7x7", "sep conv 7x7", "separable conv"),
        Primitive("dil_conv_3x3", "dil conv 3x3", "dilated conv"),
        Primitive("dil_conv_5x5", "dil conv 5x5", "dilated conv"),
        Primitive("conv_7x1_1x7", "conv 1x7 7x1", "conv"),
        Primitive("conv_3x3", "conv 3x3", "conv"),
        Primitive("nor_conv_1x1", "conv 1x1", "conv"),
        Primitive("nor_conv_3x3", "conv 3x3", "conv"),
        Primitive("plain_avg_pool_3x3", "avg pool 3x3", "pooling"),
        Primitive("inverted_residual_3x3", "inverted residual 3x3", "inverted residual"),
        Primitive("sandglass_3x3", "sandglass 3x3", "sandglass"),
    )
}
