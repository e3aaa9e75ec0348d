"""A network called with other weights, and with buffers that are thrown away.

What `torch.func.functional_call` does, which looks every tensor up by its name in every call; with
the thousands of small tensors of a supernet that takes as long as some of its operators.
"""

from typing import Any

from torch import Tensor, nn


class Substitute:
    """A network called on given tensors, which neither reads nor writes its own.

    Knows where the tensors hang, not the tensors; they may be moved or loaded in between.
    """

    def __init__(self, net: nn.Module):
        """Find all places of parameters and buffers; one that hangs in two has one name."""
        self.net = net
        names = {parameter: name for name, parameter in net.named_parameters()}
        self._weights: list[tuple[dict[str, Any], str, str]] = [
            (module._parameters, key, names[parameter])
            for module in net.modules()
            for key, parameter in module._parameters.items()
            if parameter is not None
        ]
        self._buffers: list[tuple[dict[str, Any], str]] = [
            (module._buffers, key)
            for module in net.modules()
            for key, buffer in module._buffers.items()
            if buffer is not None
        ]

    def __call__(self, weights: dict[str, Tensor], *inputs: Any) -> Any:
        """Return net(*inputs) at given weights and on copies of the buffers.

        Args:
            weights: By the names of `net.named_parameters()`, all of them.
            *inputs: The arguments of the network.
        """
        spots = [(places, key) for places, key, _ in self._weights] + self._buffers
        own = [(places, key, places[key]) for places, key in spots]
        copies: dict[Tensor, Tensor] = {}
        try:
            for places, key, name in self._weights:
                places[key] = weights[name]
            for places, key in self._buffers:
                buffer = places[key]
                if buffer not in copies:
                    copies[buffer] = buffer.clone()
                places[key] = copies[buffer]
            return self.net(*inputs)
        finally:
            for places, key, tensor in own:
                places[key] = tensor
