"""Random cells: the baseline that a searched cell has to beat.

Nothing is trained and no image is read. The cells are those of `random_genotype(space, seed)`, the
same as `--genotype random:SEED` of a training: two different inputs for each node, and one operator
for each that passes something on, uniformly; in the space of NAS-Bench-201 any operator on every
edge.

Source: DARTS (arXiv:1806.09055), Table 1 ("Random search baseline"); arXiv:1902.07638 on why it is
needed.
"""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.models.random_genotype import random_genotype
from nas.search.method import Method
from nas.search.registry import register_method
from nas.space import SearchSpace, Space

_OF_ALPHAS = ("architect", "method")
"""The groups of settings that act on alphas."""
_ALLOWED = ("method", "list_methods")


@register_method("random", source="DARTS (arXiv:1806.09055), Table 1")
@dataclass(frozen=True)
class Random(Method):
    """Random cells of the space, without a search."""

    families: ClassVar = ("cell", "nasbench201")
    """`nas train` draws random networks of a chain, at a budget."""

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse settings of the alphas, which it does not have.

        Those of the data, the budget and the weights may be given, so that one file of settings
        serves all methods of a comparison.
        """
        super().check(config, space)
        for field in dataclasses.fields(config):
            of_alphas = field.metadata.get("group") in _OF_ALPHAS and field.name not in _ALLOWED
            value = getattr(config, field.name)
            if of_alphas and value != field.default:
                raise ConfigError(
                    f"{field.name}: found {value}, but method random has no alphas, so it has no "
                    "effect; leave it out"
                )

    def cells_without_search(self, space: Space, seed: int) -> Genotype:
        """Draw the cells."""
        assert isinstance(space, SearchSpace)
        return random_genotype(space, seed)

    def decode_rule(self, space: Space) -> str:
        """Return the rule in words."""
        if space.kind.edges_per_node is None:
            return "random: one operator on every edge, uniformly"
        return "random: two inputs for each node, each with one operator, uniformly"
