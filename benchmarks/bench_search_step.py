"""Time one search step, an alpha step and a weight step, against the plain form.

    python -m benchmarks.bench_search_step [--space darts] [--order first_order] [--repeats 5]

The plain form is what the DARTS code does: edge by edge, operator by operator, torch's own
convolutions, NCHW, float32, gradients of everything in every pass. Both forms take turns in one
process, so that they see the same machine; the peak memory of each is that of a process of its own.
Writes benchmarks/results/search_step_SPACE_ORDER.{md,json}.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from nas.layers import DepthwiseConv2d
from nas.operators import resolve
from nas.runtime.environment import current_commit
from nas.search import Architect
from nas.space import load_space
from nas.supernet import Alphas, Supernet

RESULTS = Path(__file__).parent / "results"
FORMS = ("plain", "ours")


def build_step(form: str, settings: argparse.Namespace) -> Callable[[], None]:
    """Return a function that does one whole step in the given form, on random images."""
    torch.manual_seed(0)
    space = load_space(settings.space)
    resolve(space)
    net = Supernet(
        space,
        init_channels=settings.init_channels,
        num_cells=settings.num_cells,
        by_source=form == "ours",
    ).train()
    images = torch.randn(settings.batch_size, 3, 32, 32)
    targets = torch.arange(settings.batch_size) % 10
    if form == "ours":
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    else:
        for module in net.modules():
            if isinstance(module, DepthwiseConv2d):
                module.__class__ = nn.Conv2d  # torch's forward and backward
    alphas = Alphas(space)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    alpha_optimizer = torch.optim.Adam(alphas.parameters(), 3e-4, (0.5, 0.999), weight_decay=1e-3)
    architect = Architect(net, alphas, cross_entropy, optimizer, order=settings.order)
    batch = (images, targets)

    def step() -> None:
        if form == "plain" and settings.order == "first_order":
            cross_entropy(net(images, alphas.weights()), targets).backward()
        else:
            architect.step(batch, batch)
        alpha_optimizer.step()
        optimizer.zero_grad()
        alpha_optimizer.zero_grad()
        weights = alphas.weights()
        if form == "ours":
            weights = tuple(row.detach() for row in weights)
        cross_entropy(net(images, weights), targets).backward()
        clip_grad_norm_(net.parameters(), 5)
        optimizer.step()

    return step


def peak_memory_mib(form: str, settings: argparse.Namespace) -> float:
    """Return the peak resident memory of two steps in a process of their own, MiB."""
    arguments = [f"--{key}={value}" for key, value in vars(settings).items() if key != "memory_of"]
    command = [sys.executable, "-m", "benchmarks.bench_search_step", f"--memory_of={form}"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--space", default="darts")
    parser.add_argument("--order", default="first_order", choices=("first_order", "second_order"))
    parser.add_argument("--init_channels", type=int, default=16)
    parser.add_argument("--num_cells", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory_of", choices=FORMS, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.memory_of:
        step = build_step(settings.memory_of, settings)
        step()
        step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return

    steps = {form: build_step(form, settings) for form in FORMS}
    times_s: dict[str, list[float]] = {form: [] for form in FORMS}
    for repeat in range(settings.repeats + 1):  # the first is a warm-up
        for form, step in steps.items():
            started_s = time.perf_counter()
            step()
            if repeat:
                times_s[form].append(time.perf_counter() - started_s)
                print(f"{form} {times_s[form][-1]:.2f} s", flush=True)
    pairs = zip(times_s["plain"], times_s["ours"], strict=True)
    ratios = sorted(plain / ours for plain, ours in pairs)
    del steps
    memory_mib = {form: peak_memory_mib(form, settings) for form in FORMS}
    result = {
        "command": f"python -m benchmarks.bench_search_step --space {settings.space} "
        f"--order {settings.order} --init_channels {settings.init_channels} "
        f"--num_cells {settings.num_cells} --batch_size {settings.batch_size} "
        f"--repeats {settings.repeats}",
        "commit": current_commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "num_threads": torch.get_num_threads(),
        "times_s": {form: [round(time_s, 3) for time_s in times_s[form]] for form in FORMS},
        "median_s": {form: round(statistics.median(times_s[form]), 3) for form in FORMS},
        "median_ratio": round(statistics.median(ratios), 2),
        "smallest_ratio": round(ratios[0], 2),
        "largest_ratio": round(ratios[-1], 2),
        "peak_memory_mib": {form: round(memory_mib[form]) for form in FORMS},
    }
    name = f"search_step_{settings.space}_{settings.order}"
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(_markdown(result, settings))
    print((RESULTS / f"{name}.md").read_text())


def _markdown(result: dict, settings: argparse.Namespace) -> str:
    median, memory = result["median_s"], result["peak_memory_mib"]
    return "\n".join(
        [
            f"# One search step, {settings.space}, {settings.order}",
            "",
            f"Command: `{result['command']}`. torch {result['torch']}, "
            f"{result['num_threads']} threads, CPU, n = {settings.repeats} alternating pairs "
            "after a warm-up.",
            "",
            "| form | median, s | peak memory, MiB |",
            "|---|---|---|",
            f"| plain | {median['plain']:.2f} | {memory['plain']:,} |",
            f"| ours | {median['ours']:.2f} | {memory['ours']:,} |",
            f"| plain / ours | {result['median_ratio']:.2f} "
            f"({result['smallest_ratio']:.2f} to {result['largest_ratio']:.2f}) "
            f"| {memory['plain'] / memory['ours']:.2f} |",
            "",
        ]
    )


if __name__ == "__main__":
    main()
