"""Find and check the genotype that the settings name."""

import re

from nas.config import AugmentConfig
from nas.errors import ConfigError, GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.models.factory import check_name
from nas.models.random_genotype import random_genotype
from nas.operators import resolve, resolve_genotype
from nas.operators.annotate import with_operators
from nas.space import load_cells

_RANDOM = "random:"


def choose_genotype(config: AugmentConfig) -> Genotype | None:
    """Return the genotype that the settings name; None if they name a `model` or a `network`.

    Raises:
        ConfigError: There is neither, `space` contradicts the genotype, or no network has the name
            `model`.
        GenotypeError: It cannot be read or built.
        OperatorError: A plug-in fails.
    """
    if config.model is not None:
        check_name(config.model)
        return None
    if config.network is not None:
        return None
    if config.genotype is None:
        raise ConfigError(
            "genotype: found none; give a published name such as DARTS_V2, a genotype.json, the "
            "run directory of a search, or random:SEED; or a `model` or a `network`"
        )
    if config.genotype.startswith(_RANDOM):
        return _random(config.genotype, config)
    genotype = load_genotype(config.genotype)
    if config.space is not None:
        _check_space(genotype, config.space)
    resolve_genotype(genotype, config.plugins)
    return with_operators(genotype)


def _check_space(genotype: Genotype, text: str) -> None:
    """Raise ConfigError if a genotype cannot be from the space that `space` names."""
    space = load_cells(text)
    named = genotype.space.get("name", space.name)
    foreign = [name for name in genotype.primitives if name not in space.primitives]
    if named != space.name:
        reason = f"is from {named!r}"
    elif genotype.family != space.family:
        reason = f"is of the family {genotype.family}, the space of {space.family}"
    elif len(genotype.normal) != space.num_nodes:
        reason = f"has {len(genotype.normal)} nodes, the space {space.num_nodes}"
    elif foreign:
        reason = f"uses {', '.join(foreign)}, which is not in the space"
    else:
        return
    raise ConfigError(f"space: found {text}, but the genotype {reason}; leave `space` out")


def _random(text: str, config: AugmentConfig) -> Genotype:
    """Return the random genotype that a text such as "random:0" names."""
    seed = text.removeprefix(_RANDOM)
    if not re.fullmatch(r"\d{1,9}", seed):
        raise GenotypeError(
            f"genotype: found {text}, expected random:SEED with a whole number such as random:0"
        )
    space = load_cells(config.space or "darts")
    resolve(space, config.plugins)
    return with_operators(random_genotype(space, int(seed)))
