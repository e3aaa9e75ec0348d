"""Time a step and measure the memory of every registered search method; darts is 1.

    python -m benchmarks.bench_methods [--methods darts,pc_darts] [--repeats 5] [--threads 2]
        [--name NAME]

A step is that of the method (`Method.step`) with its default settings, in the middle of a search
of 50 epochs: one step of the alphas and one of the weights, or what the method does instead. All
methods take turns in one process. The peak memory of each is that of a fresh interpreter that takes
three steps; what it had before the first of them, torch and the network, is told apart. Writes
benchmarks/results/NAME.{md,json}.
"""

import argparse
import statistics
import subprocess
import sys
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from benchmarks.paired import describe_machine, take_turns, write_results
from benchmarks.steps import CPU, Step
from nas.config import SearchConfig
from nas.config.choice import read_choice
from nas.data import DatasetInfo, TensorLoader, TrainTransform
from nas.operators import resolve
from nas.runtime.allocator import keep_freed_memory
from nas.runtime.memory import peak_memory_mib
from nas.runtime.run_directory import SilentRunDirectory
from nas.search import SearchData, Searcher, list_methods
from nas.search.data import NumImages
from nas.search.registry import METHODS, build
from nas.space import load_space
from nas.supernet import Alphas, Supernet

REFERENCE = "darts"
EPOCHS, EPOCH = 50, 25
STEPS_FOR_MEMORY = 3


class Memory(NamedTuple):
    """Peak resident memory of a process, MiB."""

    before_steps: int
    """With imports, network and data."""
    peak: int
    """After some steps."""

    @property
    def added(self) -> int:
        """What the steps need in addition."""
        return self.peak - self.before_steps


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--methods", default=",".join(methods_with_steps()))
    parser.add_argument("--space", default="darts")
    parser.add_argument("--init_channels", type=int, default=16)
    parser.add_argument("--num_cells", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--name", default="methods", help="of the files of results")
    parser.add_argument("--memory_of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    if given.memory_of:
        step = step_of(given.memory_of, given)
        before = peak_memory_mib(CPU.device)
        for _ in range(STEPS_FOR_MEMORY):
            step()
        print(before, peak_memory_mib(CPU.device))
        return
    names = given.methods.split(",")
    flags = [f"--{key}={value}" for key, value in vars(given).items() if key != "memory_of"]
    # Memory first: a process starts with the peak of the one that starts it.
    memory = {name: memory_mib(name, flags) for name in names}
    times_s = take_turns({name: step_of(name, given) for name in names}, given.repeats, CPU.device)
    result = {
        "command": " ".join(["python -m benchmarks.bench_methods", *flags]),
        **describe_machine(CPU.device),
        "methods": {name: row(name, times_s, memory) for name in names},
    }
    write_results(given.name, result, table(result))


def methods_with_steps() -> list[str]:
    """All methods but those that search no cells, and those whose step does nothing: random."""
    families = {name: METHODS.get(name).record.families for name in list_methods()}
    of_cells = [name for name, known in families.items() if known is None or "cell" in known]
    return [REFERENCE, *(name for name in of_cells if name not in (REFERENCE, "random"))]


def step_of(name: str, size: argparse.Namespace) -> Step:
    """Return a function that takes one step of a method, on random images."""
    torch.manual_seed(0)
    space = load_space(size.space)
    resolve(space)
    method = build(METHODS, read_choice(name, "method"), "method")
    config = SearchConfig(
        method=name,
        epochs=EPOCHS,
        batch_size=size.batch_size,
        init_channels=size.init_channels,
        num_cells=size.num_cells,
    )
    method.check(config, space)
    net = Supernet(
        space,
        init_channels=size.init_channels,
        num_cells=size.num_cells,
        build_edge=method.build_edge,
    )
    alphas = Alphas(space, extra=method.extra_alphas(space))
    data = random_data(size.batch_size)
    searcher = Searcher(
        config=config,
        space=space,
        net=CPU.place(net),
        alphas=alphas,
        loss=cross_entropy,
        data=data,
        run=SilentRunDirectory(Path()),
        method=method,
        compute=CPU,
    )
    searcher.epoch = EPOCH
    searcher.net.train()
    batch = CPU.to_device(next(iter(data.train_loader)))
    searcher._val_batches = repeat(batch)
    return lambda: method.step(searcher, batch)


def random_data(batch_size: int) -> SearchData:
    """Return one batch of random images of CIFAR's size, for w and for alpha."""
    info = DatasetInfo("random", tuple("0123456789"), 32, (0.5,) * 3, (0.25,) * 3)
    images = torch.randint(256, (batch_size, 3, 32, 32)).to(torch.uint8)
    labels = torch.arange(batch_size) % 10

    def loader() -> TensorLoader:
        return TensorLoader(
            images, labels, batch_size, transform=TrainTransform(info), shuffle=False, seed=0
        )

    return SearchData(
        train_loader=loader(),
        val_loader=loader(),
        measure_loader=lambda epoch: loader(),
        image_shape=(3, 32, 32),
        num_classes=10,
        num_images=NumImages(batch_size, batch_size),
    )


def memory_mib(name: str, flags: list[str]) -> Memory:
    """Return the memory of a fresh process that takes some steps."""
    command = [sys.executable, "-m", "benchmarks.bench_methods", f"--memory_of={name}", *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    before, peak = done.stdout.split()[-2:]
    return Memory(round(float(before)), round(float(peak)))


def row(name: str, times_s: dict[str, list[float]], memory: dict[str, Memory]) -> dict[str, Any]:
    """Return the figures of a method; ratios of times are taken round by round."""
    ratios = [
        time / reference for time, reference in zip(times_s[name], times_s[REFERENCE], strict=True)
    ]
    own, of_reference = memory[name], memory[REFERENCE]
    return {
        "times_s": [round(time, 4) for time in times_s[name]],
        "median_s": round(statistics.median(times_s[name]), 3),
        "time_ratio": round(statistics.median(ratios), 2),
        "time_ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "peak_memory_mib": own.peak,
        "memory_ratio": round(own.peak / of_reference.peak, 2),
        "memory_before_steps_mib": own.before_steps,
        "added_memory_ratio": round(own.added / of_reference.added, 2),
    }


def table(result: dict[str, Any]) -> str:
    """Write the results as Markdown."""
    rows = [
        f"| {name} | {one['median_s']:.2f} | {one['time_ratio']:.2f} "
        f"({one['time_ratio_range'][0]:.2f} to {one['time_ratio_range'][1]:.2f}) | "
        f"{one['peak_memory_mib']:,} | {one['memory_ratio']:.2f} | "
        f"{one['memory_before_steps_mib']:,} | {one['added_memory_ratio']:.2f} |"
        for name, one in result["methods"].items()
    ]
    rounds = len(result["methods"][REFERENCE]["times_s"])
    return "\n".join(
        [
            "# One step of each search method",
            "",
            f"Command: `{result['command']}`. Python {result['python']}, torch {result['torch']}, "
            f"{result['cpu']}, {result['processors']} processors, {result['threads']} threads, "
            f"load average {result['load_average_1min']} at the end (more than the threads means "
            f"that other work took part of the processors); CPU, {rounds} rounds after a warm-up.",
            "",
            "| method | median, s | time, darts = 1 | peak memory, MiB | memory, darts = 1 | "
            "before the steps, MiB | added by the steps, darts = 1 |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "Default settings of each method, in the middle of a search. Peak memory: of a whole "
            f"process that takes {STEPS_FOR_MEMORY} steps, torch itself included. Before the "
            "steps: of that process with imports, network and data. Added by the steps: the peak "
            "less what was there before.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
