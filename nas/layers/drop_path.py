"""Drop path: leave out one path for some images of a batch."""

import torch
from torch import Tensor


def drop_path(x: Tensor, drop_prob: float | Tensor) -> Tensor:
    """Zero x for each image with probability `drop_prob`, and scale the others up to match.

    y = x * mask / (1 - drop_prob), one mask value per image. Only called in training.

    Args:
        x: (N, C, H, W).
        drop_prob: In [0, 1); a tensor, (), where it changes without compiling again.

    Source: FractalNet (arXiv:1605.07648), Sec. 3, as used by DARTS (arXiv:1806.09055), Sec. 3.1.
    """
    if isinstance(drop_prob, Tensor):
        kept = torch.bernoulli((1 - drop_prob).expand(len(x), 1, 1, 1))
        return x * (kept.to(x.dtype) / (1 - drop_prob))
    if drop_prob == 0:
        return x
    keep_prob = 1 - drop_prob
    mask = torch.empty((len(x), 1, 1, 1), dtype=x.dtype, device=x.device).bernoulli_(keep_prob)
    return x * mask.div_(keep_prob)
