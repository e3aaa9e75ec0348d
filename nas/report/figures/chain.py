"""A network of a chain as a picture: widths as thickness, ratio and kernel of every block, depths.

From left to right: stem, blocks, and the layers of each stage, absent ones dashed. The outline of a
block has its input channels on the left, its hidden ones in the middle and its output channels on
the right, so that a sandglass is narrow inside and an inverted residual is wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle

from nas.files import write_files
from nas.genotype import Chain
from nas.png import picture_bytes
from nas.report.cells.labels import printable
from nas.space import Block
from nas.space.blocks import BLOCK_KINDS

_FILLS = {0: "#DDDDDD", 3: "#77AADD", 5: "#EE8866", 7: "#EEDD88", 9: "#44BB99", 11: "#FFAABB"}
"""By kernel of the depthwise convolutions; Tol's "light" scheme."""
_INK, _FAINT = "#333333", "#999999"
_SQUEEZED = "////"
_GAP = 0.6
"""Between stages, in blocks."""


@dataclass(frozen=True)
class _Slot:
    """A place in the row; without a block, the layer does not exist."""

    x: float
    block: Block | None
    label: str
    channels: int
    is_fixed: bool = False


def chain_figure(chain: Chain) -> Figure:
    """Draw a network, with the sizes that it has for the images of its search."""
    chain = chain.at_size(chain.image_size)
    slots, stages = _layout(chain)
    widest = max(max(_ends(slot)) for slot in slots)
    end = slots[-1].x + 1
    figure = Figure(figsize=(0.45 * end + 1.0, 4.2), dpi=130)
    axes = figure.add_axes((0.02, 0.1, 0.96, 0.76))
    for slot in slots:
        _draw_slot(axes, slot, widest)
    for (first, last), text in stages:
        axes.plot((first, last), (0.58 * widest,) * 2, color=_INK, linewidth=1)
        axes.text((first + last) / 2, 0.6 * widest, text, ha="center", va="bottom", fontsize=8)
    axes.set_xlim(-0.3, end + 0.3)
    axes.set_ylim(-0.85 * widest, 0.85 * widest)
    axes.set_axis_off()
    figure.text(0.02, 0.96, _title(chain), va="top", fontsize=11, parse_math=False)
    kernels = sorted({block.kernel for block in chain.layers})
    handles = [
        Patch(facecolor=_FILLS[k], edgecolor=_INK, label=f"kernel {k}" if k else "no depthwise")
        for k in kernels
    ]
    handles.append(Patch(facecolor="white", edgecolor=_INK, label="fixed"))
    if any(block.squeeze_channels for block in chain.blocks):
        handles.append(Patch(facecolor="white", hatch=_SQUEEZED, label="squeeze-and-excitation"))
    figure.legend(
        handles=handles, loc="lower center", ncols=len(handles), frameon=False, fontsize=9
    )
    return figure


def draw_chain(
    chain: Chain, out_dir: str | Path, formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write the picture of a network as chain.png and in other formats; returns the paths.

    Args:
        chain: What to draw.
        out_dir: The folder; it is created if it does not exist.
        formats: Some of "png", "svg" and "pdf".

    Raises:
        ReportError: The folder cannot be written.
    """
    figure = chain_figure(chain)
    folder = Path(out_dir)
    return write_files({folder / f"chain.{name}": picture_bytes(figure, name) for name in formats})


def _layout(chain: Chain) -> tuple[list[_Slot], list[tuple[tuple[float, float], str]]]:
    """Return all places, and for each stage where it begins and ends, and its text."""
    space = chain.space
    slots = [_Slot(0.0, None, "stem", space.stem_channels, is_fixed=True)]
    stages = []

    def add(block: Block | None, label: str, channels: int, is_fixed: bool = False) -> None:
        slots.append(_Slot(slots[-1].x + 1 + gap, block, label, channels, is_fixed))

    gap = 0.0
    for block, fixed in zip(space.first_blocks, space.first, strict=True):
        add(block, _label(fixed.candidate.name), block.out_channels, is_fixed=True)
    for number, names in enumerate(chain.stages):
        layers = space.layers_of(number)
        gap = _GAP
        for layer, name in zip(layers, [*names, *[""] * len(layers)], strict=False):
            found = layer.blocks.get(name)
            width = next(iter(layer.blocks.values())).out_channels
            add(found, _label(name, found), width)
            gap = 0.0
        size = layers[0].out_size
        text = f"{width} channels\n{size} x {size}\n{len(names)} of {len(layers)} layers"
        stages.append(((slots[-len(layers)].x, slots[-1].x + 0.9), text))
    gap = _GAP
    for block, fixed in zip(space.last_blocks, space.last, strict=True):
        add(block, _label(fixed.candidate.name), block.out_channels, is_fixed=True)
        gap = 0.0
    return slots, stages


def _label(name: str, block: Block | None = None) -> str:
    """Write a candidate as short lines; its kernel only where it has one."""
    kind = next((kind for kind in BLOCK_KINDS if name == kind or name.startswith(f"{kind}_")), "")
    parts = name.removeprefix(kind).strip("_").split("_")
    if block is not None and not block.kernel:
        parts = [part for part in parts if not part.startswith("k")]
    short = {"fig4a": "4a", "fig4b": "4b", "conv": "1x1"}.get(kind)
    return "\n".join([*parts, *([short] if short else [])]).strip()


def _ends(slot: _Slot) -> tuple[int, int, int]:
    """Return the channels at the beginning, inside and at the end of a place."""
    block = slot.block
    if block is None:
        return (slot.channels,) * 3
    inside = block.hidden_channels or block.out_channels
    return block.in_channels, inside, block.out_channels


def _draw_slot(axes: Axes, slot: _Slot, widest: int) -> None:
    begin, inside, end = _ends(slot)
    x = slot.x
    if slot.block is None and not slot.is_fixed:
        outline = Rectangle((x + 0.1, -end / 2), 0.7, end, fill=False, color=_FAINT, linestyle=":")
        axes.add_patch(outline)
        return
    top = [(x, begin), (x + 0.3, inside), (x + 0.6, inside), (x + 0.9, end)]
    points = [(at, c / 2) for at, c in top] + [(at, -c / 2) for at, c in reversed(top)]
    kernel = slot.block.kernel if slot.block and not slot.is_fixed else None
    squeezed = slot.block is not None and slot.block.squeeze_channels > 0
    axes.add_patch(
        Polygon(
            points,
            facecolor="white" if kernel is None else _FILLS[kernel],
            edgecolor=_INK,
            linewidth=1,
            hatch=_SQUEEZED if squeezed else None,
        )
    )
    axes.text(x + 0.45, -0.56 * widest, slot.label, ha="center", va="top", fontsize=8)


def _title(chain: Chain) -> str:
    size = chain.image_size
    madds, parameters = (chain.count(quantity) / 1e6 for quantity in ("madds", "parameters"))
    return (
        f"{printable(chain.space.name)} at width {chain.width_mult:g}: {madds:.1f} M multiply-adds "
        f"at {size} x {size}, {parameters:.2f} M parameters with {chain.num_classes} classes"
    )
