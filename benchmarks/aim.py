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
        remark = ""
        if result["median_ratio"] < self.ratio:
            least_s = ours[PRODUCTS]
            remark += (
                f" **Below the aim of {self.ratio:g} times**: {PRODUCTS} take {least_s:.2f} of the "
                f"{sum(ours.values()):.2f} s of ours and {plain[PRODUCTS]:.2f} of the "
                f"{sum(plain.values()):.2f} s of plain. Without anything else ours would be "
                f"{sum(plain.values()) / least_s:.2f} times as fast as plain."
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
