"""Tables 3, 5, 6, 7 and 10 of the paper as data, in its order, without networks of others.

None stands for a figure that the paper does not print, or that we could not check against it.

Source: MobileNeXt (arXiv:2007.02269), Tables 3, 5, 6, 7 and 10, and the table of its Sec. 1; the
top-1 of Tables 3 and 7 also from the README of the authors' code.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperRow:
    """One row: what the paper prints, and the network that is measured for it."""

    table: int
    name: str
    """As printed."""
    model: str
    """Of `nas.models.build_network`."""
    parameters_m: float | None
    """Millions, to as many digits as are printed."""
    madds_m: float | None
    """Millions, of which the paper prints two significant digits."""
    top1: float | None
    """Percent."""
    identity_ratio: str | None = None
    reason: str = ""
    """Why our counts are not those of the paper; empty where they are."""

    @property
    def experiment(self) -> str:
        """The file in experiments/imagenet/rows/, and the run's name, of this network."""
        ratio = self.identity_ratio
        return self.model if ratio is None else f"{self.model}_identity_{ratio.replace('/', '_')}"


_COUNTER = (
    "The authors' counter also counts activations, biases and the inputs of the pooling; ours "
    "counts convolutions and linear layers."
)
_NO_RULE = (
    "No rule for the bottlenecks gives every row of Table 3; this is the released code's, which "
    "gives the checkpoint of width 1 to the last parameter."
)
_BOTH = f"{_NO_RULE} {_COUNTER}"
_RELEASED = (
    "This is the released network, to the last parameter of its checkpoint; the paper prints it as "
    "3.4 M (Tables 3 and 6) and as 3.5 M (5 and 10), and always as 300 M."
)

TITLES = {
    3: "MobileNeXt and MobileNetV2 at five widths",
    5: "A second depthwise convolution in MobileNetV2",
    6: "With squeeze-and-excitation",
    7: "Identity tensor multiplier",
    10: "Where the depthwise convolutions stand",
}

ROWS = (
    PaperRow(
        3,
        "MobileNetV2-1.40",
        "mobilenet_v2_1.4",
        6.9,
        690,
        74.9,
        reason="torchvision's network, which rounds widths as MobileNetV2's authors do; the "
        "rounding behind the paper's figures is not known.",
    ),
    PaperRow(3, "MobileNetV2-1.00", "mobilenet_v2_1.0", 3.5, 300, 72.3),
    PaperRow(
        3,
        "MobileNetV2-0.75",
        "mobilenet_v2_0.75",
        2.6,
        150,
        69.9,
        reason="The parameters agree, so it is the same network; 150 M cannot be.",
    ),
    PaperRow(3, "MobileNetV2-0.50", "mobilenet_v2_0.5", 2.0, 97, None),
    PaperRow(3, "MobileNetV2-0.35", "mobilenet_v2_0.35", 1.7, 59, None),
    PaperRow(3, "MobileNeXt-1.40", "mobilenext_1.4", 6.1, 590, 76.1),
    PaperRow(3, "MobileNeXt-1.00", "mobilenext_1.0", 3.4, 300, 74.0, reason=_RELEASED),
    PaperRow(3, "MobileNeXt-0.75", "mobilenext_0.75", 2.5, 210, 72.0, reason=_NO_RULE),
    PaperRow(
        3, "MobileNeXt-0.50", "mobilenext_0.5", 2.1, 110, 67.7, reason=f"{_NO_RULE} {_COUNTER}"
    ),
    PaperRow(
        3, "MobileNeXt-0.35", "mobilenext_0.35", 1.8, 80, 64.7, reason=f"{_NO_RULE} {_COUNTER}"
    ),
    PaperRow(
        5,
        "MobileNetV2, two depthwise convolutions in the middle",
        "mobilenet_v2_two_dw_1.0",
        3.6,
        340,
        None,
        reason=_COUNTER,
    ),
    PaperRow(5, "MobileNeXt", "mobilenext_1.0", 3.5, 300, None, reason=_RELEASED),
    PaperRow(6, "MobileNeXt-1.0", "mobilenext_1.0", 3.4, 300, 74.02, reason=_RELEASED),
    PaperRow(
        6,
        "MobileNeXt-1.0, SE",
        "mobilenext_se_1.0",
        3.94,
        330,
        76.05,
        reason="The paper's figure counts a BatchNorm of 1280 channels (2,560 parameters) that the "
        "released code holds and never applies.",
    ),
    PaperRow(6, "MobileNeXt-1.1, SE", "mobilenext_se_1.1", 4.28, 420, 76.7),
    PaperRow(7, "1", "mobilenext_1.0", None, 300, 74.02, reason=_RELEASED),
    PaperRow(7, "1/2", "mobilenext_1.0", None, 300, 74.09, "1/2", reason=_RELEASED),
    PaperRow(7, "1/3", "mobilenext_1.0", None, 300, 73.91, "1/3", reason=_RELEASED),
    PaperRow(7, "1/6", "mobilenext_1.0", None, 300, 73.68, "1/6", reason=_RELEASED),
    PaperRow(10, "Fig. 4 (a)", "mobilenext_fig4a_1.0", 3.4, 240, None),
    PaperRow(10, "Fig. 4 (b)", "mobilenext_fig4b_1.0", 3.4, 250, None, reason=_COUNTER),
    PaperRow(10, "Fig. 4 (c)", "mobilenet_v2_fig4c_1.0", 3.5, 300, None),
    PaperRow(10, "Fig. 4 (d), MobileNeXt", "mobilenext_1.0", 3.5, 300, None, reason=_RELEASED),
)
"""Every row of the five tables whose network is in this project."""
