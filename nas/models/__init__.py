"""Discrete networks: those of a genotype, and those of the MobileNeXt paper by name."""

from nas.models.chain import ChainNetwork
from nas.models.choice import choose_genotype
from nas.models.description import build_model, describe_model
from nas.models.factory import build_network, list_models
from nas.models.mobilenet_v2 import mobilenet_v2
from nas.models.mobilenext import mobilenext
from nas.models.mobilenext_se import mobilenext_se
from nas.models.network import GenotypeNetwork
from nas.models.random_genotype import random_genotype
from nas.models.timm_models import register as _register_in_timm
from nas.models.weights import fit_weights, load_weights

__all__ = [
    "ChainNetwork",
    "GenotypeNetwork",
    "build_model",
    "build_network",
    "choose_genotype",
    "describe_model",
    "fit_weights",
    "list_models",
    "load_weights",
    "mobilenet_v2",
    "mobilenext",
    "mobilenext_se",
    "random_genotype",
]

_register_in_timm()
