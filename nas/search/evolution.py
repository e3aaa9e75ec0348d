"""Choices of a network after a search: the best of many that are tested in the supernet.

    tested = {}
    new    = P random networks that meet the targets
    G times:
        test new; tested += new
        best = the K most accurate of tested
        new  = P / 2 offspring of two of best + P / 2 mutations of one of best, untested ones that
               meet the targets, filled up to P by random networks

What was tested is kept, network by network, so that a phase that was stopped goes on: the same
seed asks for the same networks again, and those that are kept are not tested again.

Source: SPOS (arXiv:1904.00420), Alg. 1, and its code: P 50, G 20, K 10, P / 2 of each kind.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from nas.config import SearchConfig
from nas.config.choice import read_choice
from nas.errors import ConfigError
from nas.genotype import Chain
from nas.genotype.offspring import Stages, crossed, mutated
from nas.genotype.random_chains import RandomChains
from nas.models.chain_choice import read_budgets
from nas.search.data import SearchData
from nas.search.registry import METHODS, build, register_selection
from nas.search.searcher import Searcher
from nas.search.tested import TestedNetworks
from nas.space import ChainSpace, Space
from nas.space.families import get_chain_family

TRIES = 10
"""Tries for each network that is wanted, before fewer are taken."""

Measure = Callable[[Stages], float]
"""Returns the accuracy of a network in percent."""


@dataclass(frozen=True)
class ChoiceByTest(ABC):
    """A selection that tests networks of a chain in the supernet, within the targets."""

    statistics_batches: int = 200
    """Training batches that the running statistics of a network are computed on; at most an epoch
    of them."""
    val_batches: int = 0
    """Batches that a network is tested on, of the images that updated no weights; 0 is all."""

    def __post_init__(self) -> None:
        for name, least in self._least().items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name}: expected {least} or more, found {getattr(self, name)}")

    def _least(self) -> dict[str, int]:
        """Return the least value of whole numbers."""
        return {"statistics_batches": 1, "val_batches": 0}

    @property
    @abstractmethod
    def most(self) -> int:
        """How many networks are tested at most."""

    @abstractmethod
    def run(self, networks: RandomChains, measure: Measure, generator: random.Random) -> None:
        """Measure networks that meet the budgets; the caller keeps the best.

        Args:
            networks: Draws them.
            measure: To be called once for each network.
            generator: All randomness comes from it.
        """

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse cells, and searches whose supernet cannot be asked."""
        where = "selection: " + read_choice(str(config.selection), "selection").name
        get_chain_family(space.family, f"{where}: space")
        method = build(METHODS, read_choice(config.method, "method"), "method")
        if method.one_level:
            raise ConfigError(
                f"{where}: does not work with {config.method}, which moves weights on all training "
                "images: none would be left to test on; use uniform"
            )
        if config.stop is not None:
            raise ConfigError(
                f"{where}: does not work with `stop`, which keeps the network of an earlier epoch; "
                "give one of them"
            )
        if config.compile not in ("auto", "off"):
            raise ConfigError(
                f"{where}: needs compile off, found {config.compile}; compiled code does not "
                "follow one network after another"
            )

    def check_data(self, config: SearchConfig, space: Space, data: SearchData) -> None:
        """Refuse targets that no network meets together.

        Raises:
            ConfigError: No network was found.
        """
        _networks(config, space, data).draw(random.Random(config.seed))

    def __call__(self, searcher: Searcher) -> Chain:
        """Return the most accurate network; `search` of it says how it was chosen."""
        config, space = searcher.config, searcher.space
        networks = _networks(config, space, searcher.data)
        with TestedNetworks(
            searcher, self.statistics_batches, self.val_batches, self.most
        ) as tested:
            self.run(networks, tested.measure, random.Random(config.seed))
        best, accuracy = tested.best()
        numbers = {"accuracy": accuracy, "num_tested": len(tested), "seed": config.seed}
        assert isinstance(space, ChainSpace)
        return Chain(space, best, numbers)


@register_selection("random", source="SPOS (arXiv:1904.00420), Sec. 4")
@dataclass(frozen=True)
class RandomChoice(ChoiceByTest):
    """The best of random networks of a chain, each tested in the supernet, within the targets."""

    networks: int = 1000
    """How many are tested; fewer where the space has fewer that meet the targets."""

    def _least(self) -> dict[str, int]:
        return super()._least() | {"networks": 1}

    @property
    def most(self) -> int:
        """See `ChoiceByTest`."""
        return self.networks

    def run(self, networks: RandomChains, measure: Measure, generator: random.Random) -> None:
        """Measure networks that are drawn uniformly, each once."""
        make = partial(networks.find, generator)
        for network in new_networks({}, self.networks, (), networks, make):
            measure(network)


@register_selection("evolution", source="SPOS (arXiv:1904.00420), Alg. 1")
@dataclass(frozen=True)
class Evolution(ChoiceByTest):
    """Evolution among networks of a chain that are tested in the supernet, within the targets."""

    population: int = 50
    """Networks that a generation tests."""
    generations: int = 20
    """How many there are; the first is random."""
    top: int = 10
    """The most accurate networks so far, which have offspring."""
    mutation: float = 0.1
    """The probability that a mutation draws a choice again."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.mutation <= 1:
            raise ConfigError(f"mutation: expected above 0, at most 1, found {self.mutation:g}")

    def _least(self) -> dict[str, int]:
        return super()._least() | {"population": 2, "generations": 1, "top": 1}

    @property
    def most(self) -> int:
        """See `ChoiceByTest`."""
        return self.population * self.generations

    def run(self, networks: RandomChains, measure: Measure, generator: random.Random) -> None:
        """Measure generation after generation."""
        tested: dict[Stages, float] = {}
        for _ in range(self.generations):
            # Ties go to the one that was tested first.
            best = sorted(tested, key=tested.__getitem__, reverse=True)[: self.top]
            for network in self.generation(networks, best, tested, generator):
                tested[network] = measure(network)

    def generation(
        self,
        networks: RandomChains,
        best: list[Stages],
        tested: Collection[Stages],
        generator: random.Random,
    ) -> Iterator[Stages]:
        """Yield networks to be tested next, which are new and meet the budgets.

        Args:
            networks: Draws networks that meet them.
            best: The parents; none where nothing is tested yet.
            tested: All networks so far.
            generator: All randomness comes from it.
        """
        new: dict[Stages, None] = {}
        half = self.population // 2 if best else 0
        for num, make in (
            (half, lambda: crossed(generator.choice(best), generator.choice(best), generator)),
            (
                half,
                lambda: mutated(networks.space, generator.choice(best), self.mutation, generator),
            ),
            (self.population, partial(networks.find, generator)),
        ):
            num = min(num, self.population - len(new))
            yield from new_networks(new, num, tested, networks, make)


def new_networks(
    new: dict[Stages, None],
    num: int,
    tested: Collection[Stages],
    networks: RandomChains,
    make: Callable[[], Stages | None],
) -> Iterator[Stages]:
    """Yield networks that are neither new nor tested already and meet the budgets.

    Args:
        new: Gets them.
        num: How many are wanted; there may be fewer after `TRIES` tries for each, or where `make`
            has found none.
        tested: Those that were tested.
        networks: Knows the budgets.
        make: Returns a network of the space, or None.
    """
    wanted = len(new) + num
    for _ in range(TRIES * num):
        if len(new) >= wanted or (network := make()) is None:
            return
        if network not in new and network not in tested and networks.meets(network):
            new[network] = None
            yield network


def _networks(config: SearchConfig, space: Space, data: SearchData) -> RandomChains:
    assert isinstance(space, ChainSpace)
    channels, size, _ = data.image_shape
    budgets = read_budgets(
        config.target, space, size, data.num_classes, channels, config.latency_table
    )
    return RandomChains(space, budgets)
