"""Measure what checkpoints cost: their share of an epoch, and of the ten minutes between two.

    python -m benchmarks.bench_checkpoint

A small search runs with a checkpoint an epoch, every call of `save` timed; then checkpoints of full
size are written, as often as `--repeats` says. Writes benchmarks/results/checkpoint.md.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.paired import RESULTS
from nas.cli.search import main as search
from nas.config import RunConfig
from nas.genotype import load_genotype
from nas.models import GenotypeNetwork, build_network
from nas.operators import resolve
from nas.runtime.checkpoint import save_checkpoint
from nas.runtime.loop import EpochLoop
from nas.space import load_space
from nas.supernet import Supernet

EPOCHS, NUM_IMAGES = 2, 256


def epoch_share(folder: Path) -> tuple[float, float]:
    """Return the seconds in `save` and in all epochs of a small search."""
    spent = [0.0]
    original = EpochLoop.save

    def timed(self):
        began_s = time.perf_counter()
        original(self)
        spent[0] += time.perf_counter() - began_s

    EpochLoop.save = timed
    began_s = time.perf_counter()
    try:
        code = search(
            [
                *("--space=darts+sandglass", "--dataset=shapes", f"--out={folder / 'run'}"),
                *("--init_channels=4", "--num_cells=4", "--batch_size=32"),
                *(f"--epochs={EPOCHS}", f"--max_images={NUM_IMAGES}"),
            ]
        )
    finally:
        EpochLoop.save = original
    if code != 0:
        raise SystemExit(code)
    return spent[0], time.perf_counter() - began_s


def full_size(folder: Path, repeats: int) -> list[tuple[str, float, float]]:
    """Return name, size in MiB and median seconds of writing a checkpoint of full size."""
    space = load_space("darts+sandglass")
    resolve(space)
    cells = load_genotype("DARTS_V2")
    nets = {
        "search, darts+sandglass": Supernet(space),
        "retrain, DARTS_V2, CIFAR-10 form": GenotypeNetwork(cells, auxiliary=True),
        "mobilenext_1.0": build_network("mobilenext_1.0"),
    }
    found = []
    for name, net in nets.items():
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for parameter in net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
        times = []
        for step in range(repeats):
            began_s = time.perf_counter()
            path = save_checkpoint(folder, step, state)
            times.append(time.perf_counter() - began_s)
        found.append((name, path.stat().st_size / 2**20, statistics.median(times)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        saved_s, total_s = epoch_share(Path(name))
        sizes = full_size(Path(name), repeats)
    interval_s = 60 * RunConfig.checkpoint_minutes
    lines = [
        "# What checkpoints cost",
        "",
        "Command: `python -m benchmarks.bench_checkpoint`.",
        f"Python {platform.python_version()}, torch {torch.__version__}; {os.cpu_count()} CPUs,",
        f"load average {os.getloadavg()[0]:.2f} at the end (this program alone makes 1; more means",
        "that other work took part of them).",
        "",
        f"A search of darts+sandglass (4 channels, 4 cells, {EPOCHS} epochs of 4 steps of 32",
        "images; DARTS has 390 steps of 64), one checkpoint an epoch:",
        f"{saved_s:.2f} s of {total_s:.1f} s, {100 * saved_s / total_s:.2f} % (n = 1).",
        "",
        f"Full size, synced to the disk (median of {repeats}), against the {interval_s:.0f} s",
        "between two checkpoints of a long epoch:",
        "",
        "| checkpoint of | MiB | seconds | share |",
        "|---|---|---|---|",
        *(
            f"| {name} | {size:.1f} | {seconds:.2f} | {100 * seconds / interval_s:.2f} % |"
            for name, size, seconds in sizes
        ),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "checkpoint.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
