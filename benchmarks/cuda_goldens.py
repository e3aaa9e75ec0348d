"""The golden file of the DARTS code against this device, in float64.

Source: tests/golden/darts.json; the same comparisons as tests/golden/test_darts.py on the CPU.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nas.search import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from tests.golden import fill

TOLERANCE = 1e-8
_MOMENTA = {"second_order_zero_momentum": None, "second_order_momentum_0.01_w": 0.01}


def check_goldens(device: torch.device, second_order: bool = True) -> dict[str, Any]:
    """Return the largest difference by name, in units of 1 + |expected|, and whether all passed."""
    golden = fill.load("darts.json")["supernet"][0]
    space = load_space("darts")
    net = Supernet(space, init_channels=golden["init_channels"], num_cells=golden["num_cells"])
    net = fill.fill_weights(net).train().to(device)
    alphas = fill.fill_alphas(Alphas(space)).to(device)
    num = golden["batch"]
    train, val = (tuple(t.to(device) for t in fill.batch(num, start)) for start in (0, num))

    logits = net(train[0], alphas.weights())
    inputs = [alphas.normal, alphas.reduce, *net.parameters()]
    normal, reduce, *gradients = torch.autograd.grad(cross_entropy(logits, train[1]), inputs)
    found = {
        "logits": _difference(logits, golden["logits"]),
        "grad_alpha_normal": _difference(normal, golden["grad_alpha_normal"]),
        "grad_alpha_reduce": _difference(reduce, golden["grad_alpha_reduce"]),
        "sum_abs_grad_weights": _difference(
            sum(gradient.abs().sum() for gradient in gradients), golden["sum_abs_grad_weights"]
        ),
    }
    first = _architect(net, alphas, "first_order", None).gradient(val, train)
    for name in ("val_loss", "normal", "reduce"):
        found[f"first_order {name}"] = _difference(
            getattr(first, name), golden["first_order"][name]
        )
    for key, momentum in _MOMENTA.items() if second_order else ():
        for order, entry in (
            ("second_order", "finite_difference"),
            ("second_order_exact", "exact"),
        ):
            second = _architect(net, alphas, order, momentum).gradient(val, train)
            for name in ("normal", "reduce"):
                found[f"{key} {entry} {name}"] = _difference(
                    getattr(second, name), golden[key][entry][name]
                )
    passed = all(difference <= TOLERANCE for difference in found.values())
    return {"differences": found, "tolerance": TOLERANCE, "passed": passed}


def _architect(net: Supernet, alphas: Alphas, order: str, momentum: float | None) -> Architect:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    if momentum is not None:
        for parameter in net.parameters():
            optimizer.state[parameter]["momentum_buffer"] = momentum * parameter.detach()
    return Architect(net, alphas, cross_entropy, optimizer, order=order)


def _difference(found: Tensor, expected: Any) -> float:
    expected = torch.tensor(expected, dtype=torch.float64)
    return ((found.detach().cpu() - expected).abs() / (1 + expected.abs())).max().item()
