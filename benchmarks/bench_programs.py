"""Time both programs against their steps in a bare loop, and how soon they answer.

    python -m benchmarks.bench_programs [--repeats 3] [--tiny]

`search.py` and `augment.py` run on drawn images at the size of the paper's networks. The bare loop
is a process that takes as many steps, and as many passes to measure, on one batch of noise: no
data, metrics, checkpoints, TensorBoard or report. Both times are of a whole process, so both
contain the start of Python and torch. The space is `darts`, whose steps are the shortest, so that
what is not a step weighs most. Then the commands that should answer at once. `--tiny` tries
this program out, and writes to the folder for temporary files. Writes
benchmarks/results/programs.{md,json}.
"""

import argparse
import dataclasses
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.paired import RESULTS, describe_machine, take_turns, write_results
from benchmarks.steps import (
    CPU,
    AugmentSize,
    SearchSize,
    augment_step,
    found_network,
    random_batch,
    search_step,
    supernet,
)
from nas.layers import folded
from nas.runtime.allocator import keep_freed_memory
from nas.space import load_space
from nas.supernet import Alphas

ROOT = Path(__file__).parents[1]
EPOCHS = 2
NUM_TEST_IMAGES, EVAL_BATCH_SIZE = 2000, 250
"""Of the drawn images, and the default of augment.py."""
DROP_PATH_PROB = 0.2
"""The default of augment.py, which grows to it from 0 epoch by epoch."""
MAX_OVERHEAD, MAX_ANSWER_S = 0.05, 0.6
ANSWERS = {
    "search.py --help": (("search.py", "--help"), 0),
    "augment.py --help": (("augment.py", "--help"), 0),
    "nas --help": (("-m", "nas", "--help"), 0),
    "import nas": (("-c", "import nas"), 0),
    "search.py --epoch 3 (no such flag)": (("search.py", "--epoch", "3"), 2),
    "augment.py --epoch 3 (no such flag)": (("augment.py", "--epoch", "3"), 2),
}
"""Commands, each with the exit code that it must have."""


@dataclass(frozen=True)
class Size:
    """How large a run is."""

    init_channels: int
    num_cells: int
    batch_size: int
    steps: int
    """Steps of an epoch."""


SIZES = {"search": Size(16, 8, 64, 20), "augment": Size(36, 20, 96, 10)}
TINY_SIZES = {"search": Size(2, 3, 8, 2), "augment": Size(2, 3, 10, 2)}


def run_program(name: str, size: Size) -> None:
    """Run a program in a folder that is thrown away."""
    flags = ["--dataset=shapes", f"--epochs={EPOCHS}", "--device=cpu"]
    flags += [f"--init_channels={size.init_channels}", f"--num_cells={size.num_cells}"]
    flags += [f"--batch_size={size.batch_size}"]
    if name == "search":  # half of the images are for the weights
        flags += ["--space=darts", f"--max_images={2 * size.steps * size.batch_size}"]
    else:
        flags += ["--genotype=DARTS_V2", f"--max_images={size.steps * size.batch_size}"]
        flags += [f"--eval_interval={EPOCHS}", f"--eval_batch_size={EVAL_BATCH_SIZE}"]
    with tempfile.TemporaryDirectory() as folder:
        run_python(f"{name}.py", f"--out={folder}/run", *flags)
        steps = max(Path(folder, "run", "checkpoints").glob("step_*.pt")).stem
        assert int(steps.removeprefix("step_")) == EPOCHS * size.steps, steps


def run_bare(name: str, size: Size) -> None:
    """Take the steps of a run, and its passes to measure, and nothing else."""
    keep_freed_memory()
    (bare_search if name == "search" else bare_augment)(size)


def bare_search(size: Size) -> None:
    """Search, and measure the supernet on as many images after each epoch."""
    network = (size.init_channels, size.num_cells, size.batch_size)
    searched = SearchSize("darts", "first_order", *network)
    net = supernet(searched)
    weights = Alphas(load_space(searched.space)).weights()
    step = search_step("ours", searched, CPU, net)
    for _ in range(EPOCHS):
        net.train()
        for _ in range(size.steps):
            step()
        _pass(net.eval(), size.steps, size.batch_size, weights)


def bare_augment(size: Size) -> None:
    """Train, and measure the network once at the end."""
    network = AugmentSize("DARTS_V2", size.init_channels, size.num_cells, size.batch_size)
    net = found_network(network)
    step = augment_step("ours", network, CPU, net)
    for epoch in range(EPOCHS):
        net.drop_path_prob = DROP_PATH_PROB * epoch / EPOCHS
        for _ in range(size.steps):
            step()
    _pass(folded(net), NUM_TEST_IMAGES // EVAL_BATCH_SIZE, EVAL_BATCH_SIZE)


@torch.no_grad()
def _pass(net: nn.Module, num_batches: int, batch_size: int, *inputs: object) -> None:
    images, _ = CPU.to_device(random_batch(batch_size))
    for _ in range(num_batches):
        net(images, *inputs)


def measure(name: str, size: Size, repeats: int, tiny: bool) -> dict[str, Any]:
    """Time a program and its bare loop in turns."""
    bare = ["-m", "benchmarks.bench_programs", f"--bare={name}", *(["--tiny"] if tiny else [])]
    forms = {"program": partial(run_program, name, size), "bare": partial(run_python, *bare)}
    times_s = take_turns(forms, repeats, CPU.device, warm_up=0)
    pairs = zip(times_s["program"], times_s["bare"], strict=True)
    return {
        "size": dataclasses.asdict(size),
        "times_s": {form: [round(t, 2) for t in times] for form, times in times_s.items()},
        "overheads": sorted(round(program / bare - 1, 4) for program, bare in pairs),
    }


def run_python(*words: str, code: int = 0) -> None:
    """Run Python in a process, in the root of the project.

    Raises:
        RuntimeError: It ended with another exit code.
    """
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stderr[-500:]}")


def table(result: dict[str, Any]) -> str:
    """Write the results as Markdown, with what is above its aim."""
    lines = [
        "# Whole programs",
        "",
        f"Command: `{result['command']}`. Python {result['python']}, torch {result['torch']}, "
        f"{result['cpu']}, {result['processors']} processors, {result['threads']} threads, load "
        f"average {result['load_average_1min']} at the end (more than the threads means that other "
        "work took part of the processors).",
        "",
        f"Drawn images, {EPOCHS} epochs, against the same steps and measuring passes in a bare "
        f"loop, process against process; the aim is an overhead of at most {MAX_OVERHEAD:.0%}.",
        "",
        "| program | size | program, s | bare loop, s | overhead (range) | n |",
        "|---|---|---:|---:|---|---:|",
    ]
    for name, found in result["programs"].items():
        size, overheads = found["size"], found["overheads"]
        median_s = {form: statistics.median(times) for form, times in found["times_s"].items()}
        overhead = statistics.median(overheads)
        above = " **above the aim**" if overhead > MAX_OVERHEAD else ""
        lines.append(
            f"| {name}.py | C = {size['init_channels']}, {size['num_cells']} cells, batch "
            f"{size['batch_size']}, {EPOCHS * size['steps']} steps | {median_s['program']:.1f} | "
            f"{median_s['bare']:.1f} | {overhead:.1%} ({overheads[0]:.1%} to {overheads[-1]:.1%})"
            f"{above} | {len(overheads)} |"
        )
    lines += ["", f"Commands that answer without torch; the aim is {MAX_ANSWER_S} s:", ""]
    lines += ["| command | median, s | largest, s | n |", "|---|---:|---:|---:|"]
    for name, times_s in result["answers_s"].items():
        median_s = statistics.median(times_s)
        above = " **above the aim**" if median_s > MAX_ANSWER_S else ""
        lines.append(f"| `{name}` | {median_s:.2f}{above} | {max(times_s):.2f} | {len(times_s)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="Tiny networks, to try this.")
    parser.add_argument("--bare", choices=tuple(SIZES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = TINY_SIZES if given.tiny else SIZES
    if given.bare:
        run_bare(given.bare, sizes[given.bare])
        return
    # First what is short, which also brings Python's files into memory.
    commands = {
        name: partial(run_python, *words, code=code) for name, (words, code) in ANSWERS.items()
    }
    answers_s = take_turns(commands, 2 if given.tiny else 7, CPU.device)
    result = {
        "command": f"python -m benchmarks.bench_programs --repeats {given.repeats}"
        f"{' --tiny' if given.tiny else ''}",
        "programs": {name: measure(name, sizes[name], given.repeats, given.tiny) for name in sizes},
        "answers_s": {name: [round(t, 3) for t in times] for name, times in answers_s.items()},
        **describe_machine(CPU.device),
    }
    folder = Path(tempfile.gettempdir()) if given.tiny else RESULTS
    write_results("programs", result, table(result), folder)


if __name__ == "__main__":
    main()
