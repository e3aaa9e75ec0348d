"""Measure what a linear classifier reaches on the drawn set `shapes`.

Multinomial logistic regression on the normalized pixels, fitted by L-BFGS until the gradient is
small, for several L2 penalties. The penalty is chosen on the test images, which flatters the
classifier: the figure is an upper bound. Each seed draws a set of its own.

    python -m benchmarks.shapes_linear
"""

import json
import platform
import statistics
import sys
import time

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.paired import RESULTS
from nas.data.shapes.dataset import NUM_IMAGES, SHAPES, draw_shapes
from nas.data.transforms import EvalTransform

SEEDS = (0, 1, 2)
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
TOLERANCE = 1e-4
LIMIT = 45.0


def fit(pixels: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, float]:
    """Minimise cross-entropy + penalty / 2 * ||w||^2; return (D + 1, K) and the last gradient."""
    weights = torch.zeros(pixels.shape[1] + 1, SHAPES.num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=300, tolerance_grad=TOLERANCE, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = pixels @ weights[:-1] + weights[-1]
        loss = F.cross_entropy(logits, labels) + penalty / 2 * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    closure()
    return weights.detach(), weights.grad.abs().max().item()


def measure(seed: int) -> list[dict[str, float]]:
    """Return one record a penalty: accuracies in %, the largest entry of the last gradient."""
    splits = {}
    for split, num in NUM_IMAGES.items():
        images = torch.from_numpy(draw_shapes(np.arange(num), split, seed=seed))
        pixels = EvalTransform(SHAPES)(images).flatten(1)
        splits[split] = pixels, torch.arange(num) % SHAPES.num_classes
    records = []
    for penalty in PENALTIES:
        weights, gradient = fit(*splits["train"], penalty)
        record = {"seed": seed, "penalty": penalty, "max_gradient": gradient}
        for split, (pixels, labels) in splits.items():
            predicted = (pixels @ weights[:-1] + weights[-1]).argmax(1)
            record[f"{split}_accuracy"] = 100.0 * (predicted == labels).double().mean().item()
        records.append(record)
        print(record)
    return records


def main() -> int:
    start = time.perf_counter()
    records = [record for seed in SEEDS for record in measure(seed)]
    best = [max(r["test_accuracy"] for r in records if r["seed"] == seed) for seed in SEEDS]
    summary = {
        "command": "python -m benchmarks.shapes_linear",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "num_images": NUM_IMAGES,
        "n": len(SEEDS),
        "best_test_accuracy_mean": statistics.mean(best),
        "best_test_accuracy_std": statistics.stdev(best),
        "time_s": round(time.perf_counter() - start, 1),
        "records": records,
    }
    (RESULTS / "shapes_linear.json").write_text(json.dumps(summary, indent=2) + "\n")
    (RESULTS / "shapes_linear.md").write_text(report(summary))
    print((RESULTS / "shapes_linear.md").read_text())
    return 0 if max(best) < LIMIT else 1


def report(summary: dict) -> str:
    """Write the figures as Markdown."""
    rows = "\n".join(
        f"| {r['seed']} | {r['penalty']:g} | {r['train_accuracy']:.1f} "
        f"| {r['test_accuracy']:.1f} | {r['max_gradient']:.1e} |"
        for r in summary["records"]
    )
    return f"""# A linear classifier on `shapes`

Command: `{summary["command"]}`.
Python {summary["python"]}, torch {summary["torch"]}, numpy {summary["numpy"]};
{summary["num_images"]["train"]:,} training and {summary["num_images"]["test"]:,} test images,
32 x 32; {summary["time_s"]} s.

Test accuracy, the best penalty of each seed (an upper bound, it is chosen on the test images):
**{summary["best_test_accuracy_mean"]:.1f} +- {summary["best_test_accuracy_std"]:.1f} %**
(mean and standard deviation, n = {summary["n"]}). Chance is 10 %; allowed is less than {LIMIT:g} %.

| seed | L2 penalty | train accuracy, % | test accuracy, % | largest gradient entry |
|---|---|---|---|---|
{rows}
"""


if __name__ == "__main__":
    sys.exit(main())
