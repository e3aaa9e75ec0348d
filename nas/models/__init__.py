"""Discrete networks: those of a genotype, and those of the MobileNeXt paper by name."""

from nas.models.factory import build_network, list_models
from nas.models.mobilenet_v2 import mobilenet_v2
from nas.models.mobilenext import mobilenext
from nas.models.mobilenext_se import mobilenext_se
from nas.models.network import GenotypeNetwork
from nas.models.timm_models import register as _register_in_timm
from nas.models.weights import load_weights

__all__ = [
    "GenotypeNetwork",
    "build_network",
    "list_models",
    "load_weights",
    "mobilenet_v2",
    "mobilenext",
    "mobilenext_se",
]

_register_in_timm()
