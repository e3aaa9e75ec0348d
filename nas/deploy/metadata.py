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
VOC = "voc"
"""The dataset of a trained detector: a folder in the form of Pascal VOC."""
_VERSION = 1
_OUTPUTS = ("logits",)
_RAW_OUTPUTS = ("logits", "offsets")
_DETECTIONS = ("boxes", "scores", "labels")


@dataclass(frozen=True)
class Metadata:
    """All that must be known to feed images to an exported network and to read its answer."""

    model: dict[str, Any]
    """The description that the network was built from; `genotype`, `model` or `detector`, and its
    settings. Of a detector: `num_classes`; `raw`, whether duplicates are still to be suppressed;
    and `train_split`, `test_split` and `skip_corrupt` of its training."""
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

    @property
    def is_detector(self) -> bool:
        """Whether the network detects objects; else it classifies images."""
        return "detector" in self.model

    @property
    def is_raw(self) -> bool:
        """Whether the file of a detector returns what it computes before any softmax."""
        return bool(self.model.get("raw"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the file returns."""
        if not self.is_detector:
            return _OUTPUTS
        return _RAW_OUTPUTS if self.is_raw else _DETECTIONS

    def raw(self) -> "Metadata":
        """Return the metadata of the same network with raw outputs."""
        if not self.is_detector:
            return self
        return dataclasses.replace(self, model={**self.model, "raw": True})

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
