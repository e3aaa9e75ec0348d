"""Time the plain form of a search step against the DARTS code's own, on the CPU.

    git clone https://github.com/quark0/darts
    python -m benchmarks.bench_reference --darts darts/cnn [--repeats 5]

Every ratio of `bench_search_step` is one to the plain form, so the plain form must not be slower
than the code that it stands for, nor take more memory. The exit code is 1 if it does. The supernet,
the operators and the alpha step are those of the checkout; the loop around them, a few lines of its
`train_search.py`, is written for this torch. Each form has a process of its own. Writes
benchmarks/results/reference.{md,json}.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from benchmarks.forms import in_a_process
from benchmarks.paired import compare, describe_machine, take_turns, write_results
from benchmarks.steps import CPU, SearchSize, Step, random_batch, search_step

FILES = ("architect.py", "genotypes.py", "model_search.py", "operations.py")
TOLERANCE = 0.1
"""By which the plain form may take more time or memory than the reference."""


def reference_step(folder: Path, size: SearchSize) -> Step:
    """Return a function that does an alpha step and a weight step with the code in a folder."""
    sys.path.insert(0, str(folder))
    torch.Tensor.cuda = lambda self: self  # that code asks for a GPU by name
    nn.utils.clip_grad_norm = clip_grad_norm_  # its old name, which the alpha step uses
    from architect import Architect
    from model_search import Network

    torch.manual_seed(0)
    net = Network(size.init_channels, 10, size.num_cells, nn.CrossEntropyLoss()).train()
    rates = {"arch_learning_rate": 3e-4, "arch_weight_decay": 1e-3}
    architect = Architect(net, SimpleNamespace(momentum=0.9, weight_decay=3e-4, **rates))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    images, targets = random_batch(size.batch_size)

    def step() -> None:
        architect.step(images, targets, images, targets, 0.025, optimizer, unrolled=False)
        optimizer.zero_grad()
        net._loss(images, targets).backward()
        clip_grad_norm_(net.parameters(), 5)
        optimizer.step()

    return step


def table(result: dict[str, Any]) -> str:
    """Write the comparison as Markdown, and whether the plain form may stand for the reference."""
    rows = "\n".join(
        f"| {name} | {result['median_s'][form]:.2f} | {min(result['times_s'][form]):.2f} | "
        f"{max(result['times_s'][form]):.2f} | {result['peak_memory_mib'][form]:,} |"
        for form, name in (("plain", "plain"), ("reference", "DARTS code"))
    )
    verdict = "may" if may_stand(result) else "**may not**"
    return f"""# One search step of the plain form and of the DARTS code

Command: `{result["command"]}`, with the code of https://github.com/quark0/darts. Python \
{result["python"]}, torch {result["torch"]}, {result["cpu"]}, {result["processors"]} processors, \
{result["threads"]} threads, load average {result["load_average_1min"]} at the end (more than the \
threads means that other work took part of the processors); n = {len(result["times_s"]["plain"])} \
alternating pairs after a warm-up, each form in a process of its own. First order, C = 16, \
8 cells, batch 64.

| form | median, s | smallest, s | largest, s | peak memory, MiB |
|---|---:|---:|---:|---:|
{rows}

Plain takes {result["median_ratio"]:.2f} times ({result["smallest_ratio"]:.2f} to \
{result["largest_ratio"]:.2f}) the time of the DARTS code and {memory_ratio(result):.2f} times its \
memory. With at most {TOLERANCE:.0%} more of either it {verdict} stand for that code.
"""


def memory_ratio(result: dict[str, Any]) -> float:
    """Return the plain form's peak memory in units of the reference's."""
    memory_mib = result["peak_memory_mib"]
    return memory_mib["plain"] / memory_mib["reference"]


def may_stand(result: dict[str, Any]) -> bool:
    """Whether the plain form is as good as the reference."""
    return max(result["median_ratio"], memory_ratio(result)) <= 1 + TOLERANCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument(
        "--darts", type=Path, required=True, help="The folder cnn of a checkout of quark0/darts."
    )
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    missing = [name for name in FILES if not (given.darts / name).is_file()]
    if missing:
        print(f"bench_reference: {given.darts}: no file {missing[0]}", file=sys.stderr)
        return 2
    size = SearchSize()
    with (
        in_a_process(partial(search_step, "plain", size, CPU)) as plain,
        in_a_process(partial(reference_step, given.darts.resolve(), size)) as reference,
    ):
        steps = {"plain": plain, "reference": reference}
        times_s = take_turns(steps, given.repeats, CPU.device)
    result = {
        "command": "python -m benchmarks.bench_reference --darts darts/cnn "
        f"--repeats={given.repeats}",
        **describe_machine(CPU.device),
        **compare(times_s, "plain", "reference"),
        "peak_memory_mib": {"plain": round(plain.peak_mib), "reference": round(reference.peak_mib)},
    }
    write_results("reference", result, table(result))
    return 0 if may_stand(result) else 1


if __name__ == "__main__":
    raise SystemExit(main())
