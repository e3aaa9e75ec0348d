"""Find, check or draw the network of a chain that the settings name."""

import logging
import re
from dataclasses import replace

from nas.config import AugmentConfig
from nas.config.target import read_targets
from nas.errors import ChainError, ConfigError
from nas.genotype import Chain, load_chain, random_chain
from nas.genotype.random_chains import Budget
from nas.models.chain_latency import target_costs
from nas.space import ChainSpace, load_chain_space

RANDOM = "random:"
DEFAULT_SPACE = "mobilenext_chain"
CHAIN_SETTINGS = ("network", "space", "width_mult", "target", "latency_table")
"""The settings that name the network of a chain."""
_log = logging.getLogger(__name__)


def named_chain(config: AugmentConfig) -> Chain | None:
    """Return the network of the file that `network` names; None where there is none to read.

    Raises:
        ChainError: It cannot be read, or random:SEED has no seed.
        ConfigError: `space` contradicts it.
    """
    if config.network is None:
        return None
    if config.network.startswith(RANDOM):
        _seed(config.network)
        return None
    chain = load_chain(config.network)
    if config.space is not None:
        space = load_chain_space(config.space).at_width(chain.width_mult)
        if space != chain.space:
            raise ConfigError(
                f"space: found {config.space}, but the network is of {chain.space.name!r}, which "
                "has other blocks or sizes; leave `space` out"
            )
    return chain


def drawn_chain(
    config: AugmentConfig, image_size: int, num_classes: int, in_channels: int = 3
) -> Chain | None:
    """Return the random network that `network` names as random:SEED; None for another text.

    Args:
        config: With `space`, `width_mult`, `target` and `latency_table`.
        image_size: Rows and columns of the images; costs are those of this size.
        num_classes: Of the data set.
        in_channels: Of the images.

    Raises:
        ChainError: There is no seed.
        ConfigError: A budget is outside of the space, or the latency table does not fit it.
    """
    if config.network is None or not config.network.startswith(RANDOM):
        return None
    space = _space(config)
    _log.info("space %s: %s", space.name, space.describe())
    budgets = read_budgets(
        config.target, space, image_size, num_classes, in_channels, config.latency_table
    )
    drawn = random_chain(space, _seed(config.network), budgets)
    sizes = {"num_classes": num_classes, "image_size": image_size}
    return replace(drawn, search={**drawn.search, **sizes})


def read_budgets(
    text: str | None,
    space: ChainSpace,
    image_size: int,
    num_classes: int,
    in_channels: int,
    latency_table: str | None,
) -> dict[str, Budget]:
    """Return what a target asks of networks of a space on such images; nothing without a text.

    Raises:
        ConfigError: The latency table cannot be read, or does not fit.
    """
    return {
        target.quantity: Budget(
            target_costs(
                target.quantity, space, image_size, num_classes, in_channels, latency_table
            ),
            target.value,
        )
        for target in read_targets(text or "")
    }


def _space(config: AugmentConfig) -> ChainSpace:
    space = load_chain_space(config.space or DEFAULT_SPACE)
    return space if config.width_mult is None else space.at_width(config.width_mult)


def _seed(text: str) -> int:
    seed = text.removeprefix(RANDOM)
    if not re.fullmatch(r"\d{1,9}", seed):
        raise ChainError(
            f"network: found {text}, expected random:SEED with a whole number such as random:0"
        )
    return int(seed)
