"""Plain nn.Modules that know nothing of architecture search."""

from nas.layers.auxiliary import AuxiliaryHeadCIFAR, AuxiliaryHeadImageNet
from nas.layers.channels import concatenate, split
from nas.layers.conv import DilConv, FactorizedConv, FactorizedReduce, ReLUConvBN, SepConv
from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.drop_path import drop_path
from nas.layers.fold import folded
from nas.layers.initialize import initialize
from nas.layers.inverted_residual import inverted_residual, with_fast_forms
from nas.layers.joined import can_join, run_joined
from nas.layers.narrow_depthwise import NarrowDepthwise
from nas.layers.own_backward import has_hooks, trains_on_cpu
from nas.layers.pool import Noise, Zero, avg_pool, max_pool
from nas.layers.relu6 import ReLU6
from nas.layers.same_padding import SameConv2d
from nas.layers.sandglass import Sandglass, sandglass_hidden_channels
from nas.layers.sequence import ConvSequence, run_layers, runs_in_order
from nas.layers.shortcut import add_identity, identity_channels
from nas.layers.transition import Transition

__all__ = [
    "AuxiliaryHeadCIFAR",
    "AuxiliaryHeadImageNet",
    "ConvSequence",
    "DepthwiseConv2d",
    "DilConv",
    "FactorizedConv",
    "FactorizedReduce",
    "NarrowDepthwise",
    "Noise",
    "ReLU6",
    "ReLUConvBN",
    "SameConv2d",
    "Sandglass",
    "SepConv",
    "Transition",
    "Zero",
    "add_identity",
    "avg_pool",
    "can_join",
    "concatenate",
    "drop_path",
    "folded",
    "has_hooks",
    "identity_channels",
    "initialize",
    "inverted_residual",
    "max_pool",
    "run_joined",
    "run_layers",
    "runs_in_order",
    "sandglass_hidden_channels",
    "split",
    "trains_on_cpu",
    "with_fast_forms",
]
