"""What a comparison should reach, and what its file says where it does not."""

from dataclasses import dataclass
from typing import Any

from benchmarks.kinds import PRODUCTS


@dataclass(frozen=True)
class Aim:
    """The least ratio of plain to ours in time, and the largest part of its memory, if any."""

    ratio: float
    memory: float | None = None

    def remark(self, result: dict[str, Any]) -> str:
        """Say which of the two was not reached, with the measured reason; empty if both were."""
        ours, plain = (result["time_by_kind_s"][form] for form in ("ours", "plain"))
        ours_s, plain_s = sum(ours.values()), sum(plain.values())
        remark, most = "", max((kind for kind in ours if kind != PRODUCTS), key=ours.__getitem__)
        if result["median_ratio"] < self.ratio:
            products_s = ours[PRODUCTS]
            remark += (
                f" **Below the aim of {self.ratio:g} times**: {PRODUCTS}, with those that the "
                f"backward pass repeats, take {products_s:.2f} of the {ours_s:.2f} s of ours, and "
                f"{plain[PRODUCTS]:.2f} of the {plain_s:.2f} s of plain. If everything else in "
                f"ours took no time, it would be {plain_s / products_s:.2f} times as fast as plain."
                f" What else takes most in ours: {most}, {ours[most]:.2f} s."
            )
        peak, added = result["peak_memory_mib"], result["added_memory_mib"]
        part = peak["ours"] / peak["plain"]
        if self.memory is not None and part > self.memory:
            before = {form: peak[form] - added[form] for form in peak}
            remark += (
                f" **Above the aim of {self.memory:g} of the memory** ({part:.2f}): before the "
                f"steps torch and the network take {before['ours']:,} MiB in ours and "
                f"{before['plain']:,} in plain; what the steps add is in ours "
                f"{added['ours'] / added['plain']:.2f} of that in plain."
            )
        return remark
