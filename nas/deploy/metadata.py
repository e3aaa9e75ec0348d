"""What an exported file holds in addition to the network (no torch)."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from nas.errors import DeployError

KEY = "sandglass_nas"
"""The name under which an exported file holds its metadata."""
NO_DATASET = "none"
"""The dataset of random weights."""
_VERSION = 1


@dataclass(frozen=True)
class Metadata:
    """All that must be known to feed images to an exported network and to read its answer."""

    model: dict[str, Any]
    """The description that the network was built from; `genotype` or `model`, and its settings."""
    weights: str
    """The name of the file that they are from, or "random"."""
    classes: list[str] | None
    """The class of logit 0, of logit 1, ...; None where it is not known."""
    dataset: str
    """The dataset that it was trained on, which also says how an image is cut to its size; "none"
    for random weights."""
    image_size: int
    """Height and width, pixels."""
    mean: list[float]
    """Mean of each channel, for pixels in [0, 1]: the input is (pixel - mean) / std."""
    std: list[float]
    """Standard deviation of each channel."""

    def to_json(self) -> str:
        """Return the text that is stored."""
        return json.dumps({"version": _VERSION, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, text: str | None, where: str) -> "Metadata":
        """Read what `to_json` wrote.

        Raises:
            DeployError: It is not there, or not of this version.
        """
        try:
            document = json.loads(text or "")
            version = document.pop("version")
        except (ValueError, TypeError, AttributeError, KeyError):
            version = None
        if version != _VERSION:
            given = "none" if text is None else "another form or version"
            raise DeployError(
                f"{where}: expected the metadata of this project, found {given}; write the file "
                "with `nas export`"
            )
        try:
            metadata = cls(**document)
        except TypeError as cause:
            raise DeployError(
                f"{where}: its metadata is damaged: {cause}; export it again"
            ) from cause
        metadata._check(where)
        return metadata

    def _check(self, where: str) -> None:
        kinds = {"model": dict, "weights": str, "dataset": str, "image_size": int}
        kinds |= {"mean": list, "std": list}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise DeployError(f"{where}: its metadata is damaged: {name}; export it again")
