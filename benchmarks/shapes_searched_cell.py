"""Search on `shapes`, train what was found from scratch, and measure it on the test split.

    python -m benchmarks.shapes_searched_cell

For each of three seeds: a search with the settings of experiments/quickstart/search.yaml, then a
small network of the found cells, trained on all 10,000 training images and measured once on the
2,000 test images. Writes benchmarks/results/shapes_searched_cell.{md,json}.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from nas.cli.search import main as search
from nas.data import EvalTransform, ImageSet, TensorLoader, TrainTransform, load_dataset
from nas.genotype import Genotype, load_genotype
from nas.models import GenotypeNetwork
from nas.runtime.complexity import count_parameters
from nas.runtime.metrics import Meter

RESULTS = Path(__file__).parent / "results"
CONFIG = "experiments/quickstart/search.yaml"
SEEDS = (0, 1, 2)
CHANNELS, CELLS, EPOCHS, BATCH_SIZE = 8, 5, 6, 64


def train(
    genotype: Genotype, images: ImageSet, *, channels: int, cells: int, epochs: int, seed: int
) -> GenotypeNetwork:
    """Train a network of a genotype by SGD with a cosine by step, without auxiliary head."""
    torch.manual_seed(seed)
    net = GenotypeNetwork(
        genotype,
        num_classes=images.info.num_classes,
        init_channels=channels,
        num_cells=cells,
        auxiliary=False,
    ).to(memory_format=torch.channels_last)
    transform = TrainTransform(images.info, memory_format=torch.channels_last)
    loader = TensorLoader(
        images.images, images.labels, BATCH_SIZE, transform=transform, shuffle=True, seed=seed
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=3e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for _ in tqdm(range(epochs), unit="epoch", desc=f"training, seed {seed}"):
        for batch, targets in loader:
            optimizer.zero_grad()
            cross_entropy(net(batch), targets).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
            optimizer.step()
            schedule.step()
    return net


@torch.no_grad()
def measure(net: GenotypeNetwork, images: ImageSet) -> float:
    """Return the top-1 accuracy in percent; every image counts once."""
    net.eval()
    meter = Meter()
    transform = EvalTransform(images.info)
    loader = TensorLoader(
        images.images, images.labels, 256, transform=transform, shuffle=False, seed=0
    )
    for batch, targets in loader:
        logits = net(batch)
        meter.update(cross_entropy(logits, targets), logits, targets)
    return meter.accuracy


def main() -> None:
    """Run the three seeds and write the results."""
    train_images = load_dataset("shapes", split="train")
    test_images = load_dataset("shapes", split="test")
    rows = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/run"
            started_s = time.perf_counter()
            if search(["--config", CONFIG, "--seed", str(seed), "--out", out]) != 0:
                raise SystemExit("the search failed")
            searched_s = time.perf_counter()
            genotype = load_genotype(out)
        net = train(
            genotype, train_images, channels=CHANNELS, cells=CELLS, epochs=EPOCHS, seed=seed
        )
        row = {
            "seed": seed,
            "test_accuracy": round(measure(net, test_images), 2),
            "num_parameters": count_parameters(net),
            "search_s": round(searched_s - started_s),
            "train_s": round(time.perf_counter() - searched_s),
            "genotype": genotype.to_text(),
        }
        print(row)
        rows.append(row)
    accuracies = [row["test_accuracy"] for row in rows]
    result = {
        "command": "python -m benchmarks.shapes_searched_cell",
        "torch": torch.__version__,
        "num_threads": torch.get_num_threads(),
        "num_train": len(train_images),
        "num_test": len(test_images),
        "init_channels": CHANNELS,
        "num_cells": CELLS,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "mean_test_accuracy": round(statistics.mean(accuracies), 2),
        "std_test_accuracy": round(statistics.stdev(accuracies), 2),
        "seeds": rows,
    }
    (RESULTS / "shapes_searched_cell.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "shapes_searched_cell.md").write_text(_markdown(result))


def _markdown(result: dict) -> str:
    lines = [
        "# A searched cell on `shapes`",
        "",
        f"Command: `{result['command']}`. torch {result['torch']}, "
        f"{result['num_threads']} threads. Search: `{CONFIG}`.",
        f"Training: {result['num_train']} images, {result['epochs']} epochs, "
        f"batch {result['batch_size']}, {result['init_channels']} channels, "
        f"{result['num_cells']} cells.",
        f"Test: {result['num_test']} images, measured once at the end.",
        "",
        "| seed | test accuracy, % | parameters | search, s | training, s |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['seed']} | {row['test_accuracy']:.2f} | {row['num_parameters']:,} "
        f"| {row['search_s']} | {row['train_s']} |"
        for row in result["seeds"]
    ]
    lines += [
        f"| mean and standard deviation, n = {len(result['seeds'])} "
        f"| {result['mean_test_accuracy']:.2f} +- {result['std_test_accuracy']:.2f} | | | |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
