"""An evaluation network with the module names of the DARTS code, written out plainly.

Weights that the DARTS code and codes derived from it publish have these names. All cells here have
two operators per node, in the order of the genotype, and the images keep their resolution in the
stem (the CIFAR form) or not (the ImageNet form).
"""

import torch
from torch import nn


def conv_bn(channels, kernel_size, stride, dilation):
    padding = dilation * (kernel_size // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel_size, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


class Op(nn.Module):
    """Everything that the DARTS code keeps in an attribute `op`."""

    def __init__(self, *layers):
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)


class FactorizedReduce(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(in_channels, channels // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(in_channels, channels // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = self.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


def relu_conv_bn(in_channels, channels):
    return Op(nn.ReLU(), nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels))


def operator(name, channels, stride):
    kind, _, size = name.rpartition("_")
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    kernel_size = int(size[0])
    if kind == "sep_conv":
        return Op(*conv_bn(channels, kernel_size, stride, 1), *conv_bn(channels, kernel_size, 1, 1))
    if kind == "dil_conv":
        return Op(*conv_bn(channels, kernel_size, stride, 2))
    if kind == "max_pool":
        return nn.MaxPool2d(3, stride, 1)
    return nn.AvgPool2d(3, stride, 1, count_include_pad=False)


class Cell(nn.Module):
    def __init__(self, entries, concat, widths, channels, reduction, after_reduction):
        super().__init__()
        first = FactorizedReduce if after_reduction else relu_conv_bn
        self.preprocess0 = first(widths[0], channels)
        self.preprocess1 = relu_conv_bn(widths[1], channels)
        self.sources = [source for _, source in entries]
        self.concat = concat
        self._ops = nn.ModuleList(
            operator(name, channels, 2 if reduction and source < 2 else 1)
            for name, source in entries
        )

    def forward(self, s0, s1):
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for first in range(0, len(self._ops), 2):
            states.append(sum(self._ops[i](states[self.sources[i]]) for i in (first, first + 1)))
        return torch.cat([states[i] for i in self.concat], dim=1)


class Auxiliary(nn.Module):
    def __init__(self, channels, num_classes, is_imagenet):
        super().__init__()
        last = [] if is_imagenet else [nn.BatchNorm2d(768)]
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, 2 if is_imagenet else 3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *last,
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, num_classes)


class DartsNetwork(nn.Module):
    """The evaluation network; `forward` is that of evaluation, without the auxiliary head."""

    def __init__(self, genotype, channels, num_cells, num_classes, is_imagenet):
        super().__init__()
        width = channels if is_imagenet else 3 * channels
        if is_imagenet:
            half = channels // 2
            self.stem0 = nn.Sequential(
                nn.Conv2d(3, half, 3, 2, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
                nn.Conv2d(half, width, 3, 2, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.stem1 = nn.Sequential(
                nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
            )
        else:
            self.stem = nn.Sequential(
                nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
            )
        self.cells = nn.ModuleList()
        widths, after_reduction = (width, width), is_imagenet
        for index in range(num_cells):
            reduction = index in (num_cells // 3, 2 * num_cells // 3)
            channels *= 2 if reduction else 1
            nodes = genotype.reduce if reduction else genotype.normal
            concat = genotype.reduce_concat if reduction else genotype.normal_concat
            entries = [entry for node in nodes for entry in node]
            cell = Cell(entries, concat, widths, channels, reduction, after_reduction)
            self.cells.append(cell)
            widths, after_reduction = (widths[1], len(concat) * channels), reduction
            if index == 2 * num_cells // 3:
                self.auxiliary_head = Auxiliary(widths[1], num_classes, is_imagenet)
        self.classifier = nn.Linear(widths[1], num_classes)

    def forward(self, x):
        if hasattr(self, "stem"):
            s0 = s1 = self.stem(x)
        else:
            s0 = self.stem0(x)
            s1 = self.stem1(s0)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1)
        return self.classifier(s1.mean((2, 3)))
