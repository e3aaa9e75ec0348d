"""What bounds a step: every operator's time on the CPU beside the machine's two roofs.

    python -m benchmarks.bench_operators [--channels 16] [--repeats 20]

The roofs are measured in the same run: a copy of a large tensor (bytes a second) and a product of
large matrices (multiply-adds a second). An operator cannot be faster than its multiply-adds, three
times those of the forward pass, at the one roof, nor than reading its input and writing its output
in each of the three passes at the other; its bound is the larger of the two. The table counts no
traffic between the layers of an operator, so the bound is a lower one. Writes
benchmarks/results/operators.{md,json}.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.paired import describe_machine, write_results
from nas.operators import build_operator, get_operator, list_operators
from nas.runtime.complexity import count_madds
from tests.plain import make_plain

BATCH_SIZE, IMAGE_SIZE = 64, 32


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call after two to warm up."""
    times = []
    for repeat in range(repeats + 2):
        started_s = time.perf_counter()
        function()
        if repeat >= 2:
            times.append(time.perf_counter() - started_s)
    return statistics.median(times)


def roofs() -> tuple[float, float]:
    """Return (bytes, multiply-adds) a second."""
    source = torch.randn(2**25)
    target = torch.empty_like(source)
    copy_s = seconds(lambda: target.copy_(source), 10)
    matrix = torch.randn(2048, 2048)
    product_s = seconds(lambda: matrix @ matrix, 10)
    return 2 * source.numel() * 4 / copy_s, 2048**3 / product_s


def names_with_gradients() -> list[str]:
    """All operators but those whose output does not depend on the input, such as noise."""
    return [name for name in list_operators() if not get_operator(name).is_random]


def forward_and_backward(name: str, channels: int, plain: bool) -> Callable[[], object]:
    """Return one training pass of an operator, in torch's own form or in ours."""
    operator = build_operator(name, channels, 1, affine=False).train()
    if plain:
        make_plain(operator)
    layout = torch.contiguous_format if plain else torch.channels_last
    operator = operator.to(memory_format=layout)
    x = torch.randn(BATCH_SIZE, channels, IMAGE_SIZE, IMAGE_SIZE).to(memory_format=layout)
    x.requires_grad_()
    grad = torch.randn_like(x)
    inputs = [x, *operator.parameters()]
    return lambda: torch.autograd.grad(operator(x), inputs, grad)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=20)
    settings = parser.parse_args()
    channels = settings.channels
    bandwidth, madds_a_second = roofs()
    num_bytes = 4 * BATCH_SIZE * channels * IMAGE_SIZE**2
    rows = {}
    for name in names_with_gradients():
        operator = build_operator(name, channels, 1, affine=False)
        if name == "none" or type(operator) is torch.nn.Identity:
            continue
        madds = count_madds(operator, (channels, IMAGE_SIZE, IMAGE_SIZE)) * BATCH_SIZE
        bound_s = max(3 * madds / madds_a_second, 3 * 2 * num_bytes / bandwidth)
        plain_s = seconds(forward_and_backward(name, channels, True), settings.repeats)
        ours_s = seconds(forward_and_backward(name, channels, False), settings.repeats)
        rows[name] = {
            "plain_ms": round(1e3 * plain_s, 2),
            "ours_ms": round(1e3 * ours_s, 2),
            "bound_ms": round(1e3 * bound_s, 2),
            "ours_to_bound": round(ours_s / bound_s, 1),
        }
        print(name, rows[name], flush=True)
    result = {
        "command": f"python -m benchmarks.bench_operators --channels {channels} "
        f"--repeats {settings.repeats}",
        **describe_machine(torch.device("cpu")),
        "copy_gb_a_second": round(bandwidth / 1e9, 2),
        "gmadds_a_second": round(madds_a_second / 1e9, 1),
        "operators": rows,
    }
    table = "\n".join(
        f"| {name} | {row['plain_ms']} | {row['ours_ms']} | {row['bound_ms']} | "
        f"{row['ours_to_bound']} |"
        for name, row in rows.items()
    )
    markdown = f"""# Operators on the CPU, forward and backward

Command: `{result["command"]}`. Python {result["python"]}, torch {result["torch"]}, \
{result["cpu"]}, {result["processors"]} processors, {result["threads"]} threads, load average \
{result["load_average_1min"]} at the end; {BATCH_SIZE} x {channels} x {IMAGE_SIZE} x {IMAGE_SIZE}, \
float32, stride 1, median of {settings.repeats}. Roofs measured in the same run: a copy at \
{result["copy_gb_a_second"]} GB/s, a matrix product at {result["gmadds_a_second"]} G \
multiply-adds/s.

| operator | plain, ms | ours, ms | bound, ms | ours / bound |
|---|---:|---:|---:|---:|
{table}

Plain: torch's own layers, NCHW. Ours: channels_last, `nas/layers` as they are; not counted is what
edges share in the supernet. Bound: the larger of three passes of multiply-adds at the one roof
and of reading the input and writing the output at the other.
"""
    write_results("operators", result, markdown)


if __name__ == "__main__":
    main()
