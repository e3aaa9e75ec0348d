"""What a search has to know of the kind of its space: the one place where kinds differ in it.

Methods, architect, loop, records and checkpoints work with rows of alphas; `kind_of(space)` says
what the rows mean: how the supernet is built, what is recorded and written of what was found.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from nas.config import SearchConfig
from nas.config.target import Target
from nas.genotype import Chain, Genotype
from nas.space import Space

if TYPE_CHECKING:
    from nas.search.data import SearchData
    from nas.search.method import Method
    from nas.search.target import CostTerm
    from nas.supernet import ArchWeights

Found = Genotype | Chain
"""What a search finds: cells, or the network of a chain."""


class Kind(ABC):
    """The kind of a space, for a search."""

    noun: ClassVar[str]
    """What is found, in a word."""

    @abstractmethod
    def check(self, config: SearchConfig, method: "Method") -> None:
        """Refuse settings that have no effect, and methods that mean nothing.

        Raises:
            ConfigError: With the reason.
        """

    @abstractmethod
    def prepare(self, config: SearchConfig) -> None:
        """Import plug-ins, and check that the names of the space are known."""

    @abstractmethod
    def check_data(self, config: SearchConfig, data: "SearchData", method: "Method") -> None:
        """Refuse images that networks of the space cannot take."""

    @abstractmethod
    def build_network(
        self, config: SearchConfig, data: "SearchData", method: "Method"
    ) -> nn.Module:
        """Build the supernet on the CPU."""

    @abstractmethod
    def target(
        self, target: Target, config: SearchConfig, data: "SearchData", method: "Method"
    ) -> "CostTerm":
        """Build the term of a target.

        Raises:
            ConfigError: No network of the space reaches it.
        """

    @abstractmethod
    def random(self, config: SearchConfig) -> Found:
        """Draw what a search could find, by the seed, without a search.

        Raises:
            ConfigError: Nothing of the space meets the target.
            DataError: The images, for which a target counts, cannot be read.
        """

    @abstractmethod
    def numbers(
        self, found: Any, image_shape: tuple[int, int, int], num_classes: int
    ) -> dict[str, Any]:
        """Return what the record of an epoch says of what is decoded; `read` reads it back."""

    @abstractmethod
    def read(self, record: Mapping[str, Any]) -> Found:
        """Return what was decoded in an epoch, from its record."""

    def collapse(self, weights: "ArchWeights", found: Any) -> dict[str, dict[str, float]]:
        """Return the numbers that show a search going wrong, by name and group."""
        return {}

    def warning(self, records: Sequence[dict[str, Any]]) -> str | None:
        """Return what the user should know after the last record, or None."""
        return None

    @abstractmethod
    def with_details(self, found: Any, details: dict[str, Any], plugins: Sequence[str]) -> Found:
        """Return what was found with how it was searched, complete for its file."""

    @abstractmethod
    def describe(self) -> str:
        """Return in a few words how much is open."""


def kind_of(space: Space) -> Kind:
    """Return the kind of a space."""
    return space.kind.load("search")(space)
