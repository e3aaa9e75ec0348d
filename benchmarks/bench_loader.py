"""Measure how fast the loader makes training batches on the CPU, against torchvision a sample.

The set is CIFAR-sized: 10,000 drawn images of 32 x 32, batch 64 as in the search. Figures are the
median and the best of several epochs after one to warm up. The exit code is 1 unless both paths
that the programs take - channels_last; crop, flip and normalize for the search, cutout besides for
the retrain - reach the target in the median, with as many threads as the programs have.

    python -m benchmarks.bench_loader
"""

import statistics
import sys
import time
from collections.abc import Iterable

import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from benchmarks.paired import describe_machine, write_results
from nas.data import EvalTransform, ImageSet, TensorLoader, TrainTransform, load_dataset

BATCH_SIZE = 64
EPOCHS = 7
TARGET = 50_000
SEARCH, RETRAIN = "crop + flip + normalize", "crop + flip + normalize + cutout 16"


class PerSample(torch.utils.data.Dataset):
    """The same work one image at a time, as the reference code does it."""

    def __init__(self, data: ImageSet) -> None:
        self.data = data
        self.transform = v2.Compose(
            [
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(data.info.mean, data.info.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.data.images[index]), int(self.data.labels[index])


def rates(loader: Iterable, num_images: int, epochs: int = EPOCHS) -> tuple[float, float]:
    """Return (median, best) images per second over whole epochs."""
    times = []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        for _batch in loader:
            pass
        times.append(time.perf_counter() - start)
    return num_images / statistics.median(times[1:]), num_images / min(times[1:])


def main() -> int:
    start = time.perf_counter()
    data = load_dataset("shapes", split="train")
    drawing_s = time.perf_counter() - start
    search, retrain = TrainTransform(data.info), TrainTransform(data.info, cutout=16)
    cases = {
        SEARCH: (search, torch.channels_last),
        RETRAIN: (retrain, torch.channels_last),
        "evaluation": (EvalTransform(data.info), torch.channels_last),
        f"{SEARCH}; contiguous": (search, torch.contiguous_format),
        f"{RETRAIN}; contiguous": (retrain, torch.contiguous_format),
    }
    figures = {}
    # One thread beside all: where other work shares the processors, threads wait for each other.
    all_threads = torch.get_num_threads()
    for threads in sorted({all_threads, 1}, reverse=True):
        torch.set_num_threads(threads)
        for name, (transform, memory_format) in cases.items():
            loader = TensorLoader(
                data.images,
                data.labels,
                BATCH_SIZE,
                transform=transform,
                shuffle=True,
                seed=0,
                memory_format=memory_format,
            )
            figures[f"{name}; threads: {threads}"] = rates(loader, len(data))
    reference = DataLoader(PerSample(data), BATCH_SIZE, shuffle=True)
    name = "torchvision v2 a sample, DataLoader, no workers; threads: 1"
    figures[name] = rates(reference, len(data), 1)
    summary = {
        "command": "python -m benchmarks.bench_loader",
        **describe_machine(torch.device("cpu")),
        "torchvision": torchvision.__version__,
        "threads": all_threads,
        "batch_size": BATCH_SIZE,
        "n": EPOCHS,
        "drawing_10000_images_s": round(drawing_s, 2),
        "images_per_s": {name: {"median": m, "best": b} for name, (m, b) in figures.items()},
    }
    write_results("loader", summary, report(summary))
    medians = [figures[f"{name}; threads: {all_threads}"][0] for name in (SEARCH, RETRAIN)]
    return 0 if min(medians) > TARGET else 1


def report(summary: dict) -> str:
    """Write the figures as Markdown."""
    rows = "\n".join(
        f"| {name} | {rate['median']:,.0f} | {rate['best']:,.0f} |"
        for name, rate in summary["images_per_s"].items()
    )
    return f"""# The loader on the CPU

Command: `{summary["command"]}`.
Python {summary["python"]}, torch {summary["torch"]}, torchvision {summary["torchvision"]};
{summary["cpu"]}, {summary["processors"]} processors,
load average {summary["load_average_1min"]} at the end (this
program alone makes up to {summary["threads"]}; more means that other work took part of them);
32 x 32 x 3, batch {summary["batch_size"]},
n = {summary["n"]} epochs of 10,000 images (the last row: 1);
channels_last but where it says contiguous.
Drawing those images took {summary["drawing_10000_images_s"]} s.

| what | images/s, median | images/s, best |
|---|---|---|
{rows}
"""


if __name__ == "__main__":
    sys.exit(main())
