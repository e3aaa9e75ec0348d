"""Count what the ranks of a run tell each other in a step, by model.

    python -m benchmarks.communication

Nothing is measured in time, so the machine does not matter. The Architect's part is counted in its
own calls, one alpha step on one process with a `Ranks` that only counts; that of DDP is the size of
the gradients (all-reduce) and of the buffers (BatchNorm's statistics, sent by the first rank).
Writes benchmarks/results/communication.md.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.paired import RESULTS
from nas.distributed.ranks import Ranks
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork, build_network
from nas.operators import resolve
from nas.search import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet

SPACES = ("darts", "darts+sandglass")
ORDERS = ("first_order", "second_order")
MIB = 2**20


class CountingRanks(Ranks):
    """Counts the bytes that are handed over for reduction."""

    num_bytes = 0

    def mean_(self, tensors):  # noqa: D102
        self.num_bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def alpha_step_bytes(net: Supernet, alphas: Alphas, order: str) -> int:
    """Return the bytes that one alpha step all-reduces."""
    ranks = CountingRanks()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025)
    batch = torch.randn(2, 3, 16, 16), torch.tensor([0, 1])
    Architect(net, alphas, cross_entropy, optimizer, order=order, ranks=ranks).step(batch, batch)
    return ranks.num_bytes


def weight_step_bytes(net: nn.Module) -> tuple[int, int]:
    """Return the bytes of gradients and of buffers."""
    sizes = [tensor.numel() * tensor.element_size() for tensor in net.parameters()]
    return sum(sizes), sum(buffer.numel() * buffer.element_size() for buffer in net.buffers())


def rows() -> list[tuple[str, int, int, int]]:
    """Return name, gradient bytes, buffer bytes and bytes of the alpha step."""
    found = []
    for name in SPACES:
        space = load_space(name)
        resolve(space)
        net, alphas = Supernet(space).train(), Alphas(space)
        for order in ORDERS:
            sizes = weight_step_bytes(net)
            found.append((f"search, {name}, {order}", *sizes, alpha_step_bytes(net, alphas, order)))
    cells = load_genotype("DARTS_V2")
    resolve(load_space("darts"))
    retrained = {
        "retrain, DARTS_V2, CIFAR-10 form": GenotypeNetwork(cells, auxiliary=True),
        "retrain, DARTS_V2, ImageNet form": GenotypeNetwork(
            *(cells, 3, 1000), init_channels=48, num_cells=14, auxiliary=True, stem="imagenet"
        ),
        **{name: build_network(name) for name in ("mobilenext_1.0", "mobilenet_v2_1.0")},
    }
    return found + [(name, *weight_step_bytes(net), 0) for name, net in retrained.items()]


def main() -> None:
    lines = [
        "# What a step communicates",
        "",
        "Command: `python -m benchmarks.communication`. MiB (2^20 bytes) a step, float32. R ranks",
        "in a ring send and receive 2 (R - 1) / R times the first and third column each, and the",
        "second column once.",
        "",
        "| run | gradients, all-reduced | buffers, broadcast | alpha step, all-reduced | in all |",
        "|---|---|---|---|---|",
    ]
    for name, *sizes in rows():
        cells = " | ".join(f"{size / MIB:.2f}" for size in (*sizes, sum(sizes)))
        lines.append(f"| {name} | {cells} |")
    text = "\n".join(lines) + "\n"
    (RESULTS / "communication.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
