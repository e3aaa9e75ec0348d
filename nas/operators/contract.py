"""The rules of an operator, checked by building it and running it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nas.errors import OperatorError
from nas.layers.residual_stages import NUM_STAGES
from nas.operators.registry import Operator, get_operator
from nas.space import DEFAULT_FAMILY, get_cell_family


class OperatorSize(NamedTuple):
    """Where an operator is used: its channels, its stride and the size of its input."""

    channels: int
    stride: int
    height: int
    width: int

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """(2, C, H, W)."""
        return (2, self.channels, self.height, self.width)

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """(2, C, ceil(H / stride), ceil(W / stride))."""
        height, width = -(-self.height // self.stride), -(-self.width // self.stride)
        return (2, self.channels, height, width)


DEFAULT_SIZES = (OperatorSize(16, 1, 8, 8), OperatorSize(16, 2, 8, 8))
"""What every new operator is checked at, before the sizes of a run are known."""


def network_sizes(
    image_shape: tuple[int, int, int],
    init_channels: int,
    num_cells: int,
    stem: str = "cifar",
    family: str = DEFAULT_FAMILY,
) -> list[OperatorSize]:
    """Return the sizes at which the cells of a network use their operators, each once.

    Args:
        image_shape: (C, H, W).
        init_channels: C of the first cell.
        num_cells: Number of cells, as the family counts them.
        stem: "cifar", which keeps the resolution, or "imagenet", which halves it three times.
        family: The family of the cells.
    """
    _, height, width = image_shape
    for _ in range(3 if stem == "imagenet" else 0):
        height, width = -(-height // 2), -(-width // 2)
    sizes_of = get_cell_family(family).load("sizes")
    cells = sizes_of((image_shape[0], height, width), init_channels, num_cells)
    return list(dict.fromkeys(size for _, by_stride in cells for size in by_stride.values()))


def cell_sizes(
    image_shape: tuple[int, int, int], init_channels: int, num_cells: int
) -> Iterator[tuple[str, dict[int, OperatorSize]]]:
    """Yield, for each cell of a DARTS network, its group and its operators' sizes by stride.

    Args:
        image_shape: (C, H, W) of what the first cell reads; C has no effect.
        init_channels: C of the first cell.
        num_cells: Number of cells; those at num_cells // 3 and 2 * num_cells // 3 are reductions.
    """
    _, height, width = image_shape
    channels = init_channels
    for index in range(num_cells):
        if index in (num_cells // 3, 2 * num_cells // 3):
            channels *= 2
            strided = OperatorSize(channels, 2, height, width)
            _, _, height, width = strided.output_shape
            yield "reduce", {2: strided, 1: OperatorSize(channels, 1, height, width)}
        else:
            yield "normal", {1: OperatorSize(channels, 1, height, width)}


def stage_sizes(
    image_shape: tuple[int, int, int], init_channels: int, num_cells: int
) -> Iterator[tuple[str, dict[int, OperatorSize]]]:
    """Yield the same for the three stages of a NAS-Bench-201 network.

    Args:
        image_shape: (C, H, W); C has no effect.
        init_channels: C of the first stage.
        num_cells: Cells of each stage.
    """
    _, height, width = image_shape
    for stage in range(NUM_STAGES):
        size = OperatorSize(init_channels << stage, 1, height, width)
        for _ in range(num_cells):
            yield "normal", {1: size}
        height, width = -(-height // 2), -(-width // 2)


def check_operators(names: Iterable[str], sizes: Iterable[OperatorSize], *, affine: bool) -> None:
    """Check operators at the sizes of a run, before it starts.

    Args:
        names: Registered operators.
        sizes: See `network_sizes`.
        affine: Whether their BatchNorms have a scale and a shift: not in a search.

    Raises:
        OperatorError: An operator breaks a rule; see `check_contract`.
    """
    sizes = list(sizes)
    for name in dict.fromkeys(names):
        check_contract(get_operator(name), sizes, affine=affine)


def check_contract(
    operator: Operator, sizes: Iterable[OperatorSize] = DEFAULT_SIZES, *, affine: bool = False
) -> None:
    """Check that an operator keeps the rules; the random state is restored.

    - Its factory returns an nn.Module.
    - It turns (N, C, H, W) into (N, C, ceil(H / stride), ceil(W / stride)).
    - It does not change its input, which other operators read too.
    - What its record says is true: `is_zero`, `is_identity`, `parameter_free`.

    Raises:
        OperatorError: It breaks a rule; names the operator, the rule and the size.
    """
    for size in sizes:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            module = _build(operator, size, affine)
            x = torch.randn(size.input_shape)
            before = x.clone()
            y = _run(operator, module, x, size)
            problem = _problem(operator, module, before, x, y, size)
        if problem:
            raise OperatorError(f"operator {operator.name!r}: {problem}")


def _build(operator: Operator, size: OperatorSize, affine: bool) -> nn.Module:
    arguments = f"(channels={size.channels}, stride={size.stride}, affine={affine})"
    try:
        module = operator.factory(size.channels, size.stride, affine=affine)
    except Exception as cause:  # the code of a plug-in can raise anything
        raise OperatorError(
            f"operator {operator.name!r}: its factory failed on {arguments}: {_text(cause)}"
        ) from cause
    if not isinstance(module, nn.Module):
        raise OperatorError(
            f"operator {operator.name!r}: its factory returned {type(module).__name__} for "
            f"{arguments}; expected an nn.Module"
        )
    return module.train()


def _run(operator: Operator, module: nn.Module, x: Tensor, size: OperatorSize) -> Tensor:
    try:
        return module(x)
    except Exception as cause:
        raise OperatorError(
            f"operator {operator.name!r}: it failed on an input of shape {size.input_shape} at "
            f"stride {size.stride}: {_text(cause)}"
        ) from cause


def _problem(
    operator: Operator,
    module: nn.Module,
    before: Tensor,
    x: Tensor,
    y: Tensor,
    size: OperatorSize,
) -> str | None:
    """Return which rule is broken, or None.

    Args:
        operator: The record.
        module: What its factory built.
        before: The input before the call.
        x: The input after the call.
        y: The output.
        size: The size.
    """
    where = f"an input of shape {size.input_shape} at stride {size.stride}"
    if not isinstance(y, Tensor):
        return f"it returned {type(y).__name__} for {where}; expected a tensor"
    if tuple(y.shape) != size.output_shape:
        return f"it turned {where} into {tuple(y.shape)}; expected {size.output_shape}"
    if not torch.equal(x, before):
        return (
            "it changes its input, which other operators read too; do not use inplace=True before "
            "the first layer that computes a new tensor"
        )
    if operator.is_zero and y.any():
        return f"it is registered with is_zero, but its output for {where} is not zero"
    if operator.is_identity and size.stride == 1 and not torch.equal(y, before):
        return f"it is registered with is_identity, but changes {where}"
    is_free = operator.parameter_free and next(module.parameters(), None) is None
    if is_free and not torch.equal(module(before), y):
        return (
            f"it is registered with parameter_free, but two calls on {where} differ; leave "
            "parameter_free out if it draws random numbers"
        )
    return None


def _text(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"
