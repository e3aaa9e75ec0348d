"""What every operator promises, checked by building it and running it once."""

import torch
from torch import nn

from nas.errors import OperatorError
from nas.operators.registry import Operator

_CHANNELS = 16
_SIZE = 8


def check_contract(operator: Operator) -> None:
    """Check that an operator keeps the channels and divides the resolution by its stride.

    Leaves the random state as it was.

    Raises:
        OperatorError: The factory fails or does not return an nn.Module, or the module fails or
            returns another shape than (N, C, ceil(H / stride), ceil(W / stride)).
    """
    name = operator.name
    for stride in (1, 2):
        with torch.random.fork_rng(devices=[]):
            try:
                module = operator.factory(_CHANNELS, stride, affine=False)
            except Exception as cause:  # whatever the code of a plug-in raises
                raise OperatorError(
                    f"operator {name!r}: its factory failed on (channels={_CHANNELS}, "
                    f"stride={stride}, affine=False): {type(cause).__name__}: {cause}"
                ) from cause
            if not isinstance(module, nn.Module):
                raise OperatorError(
                    f"operator {name!r}: its factory returned {type(module).__name__}; "
                    "it has to return an nn.Module"
                )
            expected = (2, _CHANNELS, _SIZE // stride, _SIZE // stride)
            try:
                found = tuple(module(torch.randn(2, _CHANNELS, _SIZE, _SIZE)).shape)
            except Exception as cause:
                raise OperatorError(
                    f"operator {name!r}: it failed on an input of shape "
                    f"{(2, _CHANNELS, _SIZE, _SIZE)} at stride {stride}: "
                    f"{type(cause).__name__}: {cause}"
                ) from cause
        if found != expected:
            raise OperatorError(
                f"operator {name!r}: at stride {stride} it made {found} of "
                f"{(2, _CHANNELS, _SIZE, _SIZE)}; expected {expected}"
            )
