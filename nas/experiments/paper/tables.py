"""The paper's tables row by row: what is printed, and why our counts differ (no torch)."""

from dataclasses import dataclass
from functools import cached_property

from nas.experiments.paper.printed import PRINTED, TITLES

__all__ = ["ROWS", "TITLES", "PaperRow"]

KINDS = {
    "Param. (M)": "parameters",
    "MAdd (M)": "madds",
    "M-Adds (M)": "madds",
    "M-Adds (B)": "billions",
    "Top-1 Acc. (%)": "top1",
    "mAP (%)": "map",
    "Latency (ms)": "latency",
    "Test Error (%)": "error",
    "#Operators": "operators",
    "Output dimension": "output",
    "b": "blocks",
}
"""What a column of the paper shows, under the name that our figure for it has."""


@dataclass(frozen=True)
class PaperRow:
    """One row of one table."""

    table: int
    columns: tuple[str, ...]
    """Headers, as printed."""
    cells: tuple[str, ...]
    """Figures and names, as printed."""
    ours: str = ""
    """What this project has for the row: "mobilenext_1.0", a space; empty for networks of others.

    Settings follow the name, as in "mobilenext_1.0,identity_ratio=1/2".
    """

    def printed(self, kind: str) -> str | None:
        """Return the cell of a kind in `KINDS`; None if the table does not have the column."""
        for column, cell in zip(self.columns, self.cells, strict=True):
            if KINDS.get(column) == kind:
                return cell
        return None

    @property
    def has_network(self) -> bool:
        """Whether `ours` is a network trained on ImageNet as it is: no space and no detector."""
        return bool(self.ours) and self.table not in (8, 9, 11)

    @property
    def model(self) -> str:
        """The network's name, without settings."""
        return self.ours.partition(",")[0]

    @cached_property
    def settings(self) -> dict[str, str]:
        """The network's settings."""
        return dict(item.split("=", 1) for item in self.ours.split(",")[1:])

    @property
    def experiment(self) -> str:
        """The file in experiments/imagenet/rows/, and the name of its run."""
        settings = "".join(
            f"_{key.removesuffix('_ratio')}_{value.replace('/', '_')}"
            for key, value in self.settings.items()
        )
        return self.model + settings

    @property
    def reason(self) -> str:
        """Why our counts are not those of the paper; empty where they agree."""
        return _REASONS.get((self.table, self.ours), "")


def _rows(table: int) -> tuple[PaperRow, ...]:
    header, *lines = PRINTED[table].strip().splitlines()
    columns = _cells(header)
    rows = []
    for line in lines:
        printed, _, ours = line.partition("||")
        rows.append(PaperRow(table, columns, _cells(printed), ours.strip()))
    return tuple(rows)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|"))


_COUNTER = (
    "The authors' counter also counts activations, biases and the inputs of the pooling layer; "
    "ours counts convolutions and linear layers."
)
_NO_RULE = (
    "No rule for the width of the bottlenecks gives every row of Table 3. Ours is the rule of the "
    "released code, which gives the released checkpoint of width 1 to the last parameter."
)
_RELEASED = (
    "This is the released network, to the last parameter of its checkpoint. The paper prints it as "
    "3.4 M (Tables 3, 6 and 7) and as 3.5 M (Tables 5 and 10), and always as 300 M."
)
_COCO = (
    "The paper's 4.3 M and 0.8 B fit no detector with the 21 classes of VOC. They are about those "
    "of the authors' configuration for COCO, with 81 classes and 4 priors at the last level."
)
_REASONS = {
    (3, "mobilenet_v2_1.4"): "Ours is torchvision's network, which rounds widths as the authors of "
    "MobileNetV2 do. The rounding behind the paper's figures is not known.",
    (3, "mobilenet_v2_0.75"): "The parameters agree, so it is the same network; its multiply-adds "
    "cannot be 150 M.",
    (3, "mobilenext_1.0"): _RELEASED,
    (3, "mobilenext_0.75"): _NO_RULE,
    (3, "mobilenext_0.5"): f"{_NO_RULE} {_COUNTER}",
    (3, "mobilenext_0.35"): f"{_NO_RULE} {_COUNTER}",
    (5, "mobilenet_v2_two_dw_1.0"): _COUNTER,
    (5, "mobilenext_1.0"): _RELEASED,
    (6, "mobilenext_1.0"): _RELEASED,
    (6, "mobilenext_se_1.0"): "The paper's count includes a BatchNorm of 1280 channels (2,560 "
    "parameters) that the released code holds and never applies.",
    **{
        (7, f"mobilenext_1.0{ratio}"): _RELEASED
        for ratio in ("", *(f",identity_ratio={ratio}" for ratio in ("1/2", "1/3", "1/6")))
    },
    (8, "ssdlite320_mobilenet_v2"): _COCO,
    (8, "ssdlite320_mobilenext"): _COCO,
    (10, "mobilenext_fig4b_1.0"): _COUNTER,
    (10, "mobilenext_1.0"): _RELEASED,
}

ROWS = tuple(row for table in TITLES for row in _rows(table))
"""Every row of Tables 2 to 11, in the paper's order."""
