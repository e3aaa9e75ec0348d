"""Table 4 small: what INT8 costs MobileNeXt and MobileNetV2, by calibration and weight scales.

python experiments/deploy/table4.py --runs runs/cifar10_mobile/augment --data DIR
"""

import argparse
import itertools
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from nas.deploy.calibrate import collect, peak_memory_gib
from nas.deploy.export import export
from nas.deploy.images import LabeledImages, batches_of, sample_images
from nas.deploy.quantize import (
    ACTIVATIONS,
    Quantization,
    choose_ranges,
    read_float_model,
    write_quantized,
)
from nas.deploy.session import OnnxNetwork, open_session
from nas.deploy.source import read_source
from nas.deploy.thresholds import RULES
from nas.runtime.environment import describe_environment
from nas.runtime.evaluation import evaluate

NETWORKS = ("mobilenext_0.35", "mobilenet_v2_0.35")
SEEDS = (0, 1, 2)
NUM_CALIBRATION = 500
HERE = Path(__file__).parent


def measure(run: Path, data: str) -> dict:
    """Quantize the network of one run in every way; returns its top-1 in fp32 and in each."""
    source = read_source(str(run))
    with TemporaryDirectory() as folder:
        plain, small = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        exported = export(source.net, source.metadata, sample_images(source.metadata, 8), plain)
        images = LabeledImages(source.metadata, data, max_images=NUM_CALIBRATION)
        train, test = images.train(), images.test()
        num_classes = images.num_classes

        def top1(path: Path) -> float:
            return evaluate(OnnxNetwork(open_session(path, 1)), test, num_classes).top1

        model = read_float_model(plain)
        histograms = collect(model, lambda: batches_of(train))
        found = {"fp32": top1(plain), "max_difference": exported.max_difference, "int8": []}
        for activations, per_channel, calibration in itertools.product(
            ACTIVATIONS, (True, False), RULES
        ):
            way = Quantization(calibration, per_channel, activations)
            write_quantized(model, choose_ranges(histograms, way), way, small)
            found["int8"].append(
                {
                    "calibration": calibration,
                    "weights": "per_channel" if per_channel else "per_tensor",
                    "activations": activations,
                    "top1": top1(small),
                }
            )
            print(run.name, found["int8"][-1], flush=True)
    return found


def markdown(runs: dict[str, dict], environment: dict) -> str:
    """Return the table: mean and sample standard deviation of accuracy and drop over the seeds."""
    lines = [
        "| weights | activations | calibration | "
        + " | ".join(f"`{name}` top-1 (%) | drop" for name in NETWORKS)
        + " |",
        "|---|---|---" + "|---:" * 2 * len(NETWORKS) + "|",
    ]
    by_network = {name: [runs[f"{name}-seed{seed}"] for seed in SEEDS] for name in NETWORKS}
    cells = [f"{_spread([r['fp32'] for r in found])} |" for found in by_network.values()]
    lines.append("| fp32 | fp32 | | " + " | ".join(cells) + " |")
    for index, way in enumerate(next(iter(runs.values()))["int8"]):
        cells = []
        for found in by_network.values():
            after = [r["int8"][index]["top1"] for r in found]
            drops = [r["fp32"] - top1 for r, top1 in zip(found, after, strict=True)]
            cells.append(f"{_spread(after)} | {_spread(drops)}")
        lines.append(
            f"| {way['weights']} | {way['activations']} | {way['calibration']} | "
            + " | ".join(cells)
            + " |"
        )
    lines += [
        "",
        f"Mean and sample standard deviation over {len(SEEDS)} seeds, all test images; calibrated "
        f"on {NUM_CALIBRATION} training images. {environment['cpu']}.",
    ]
    return "\n".join(lines) + "\n"


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def main() -> None:
    """Measure every run and write quantization.json and quantization.md here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the six runs")
    parser.add_argument("--data", required=True, help="the images that they were trained on")
    arguments = parser.parse_args()
    names = [f"{network}-seed{seed}" for network in NETWORKS for seed in SEEDS]
    for name in names:
        if not (arguments.runs / name / "checkpoints").is_dir():
            parser.error(
                f"--runs: {arguments.runs / name} has no checkpoints; train it, see README.md"
            )
    runs = {name: measure(arguments.runs / name, arguments.data) for name in names}
    environment = describe_environment(torch.device("cpu"))
    environment["command"] = ["experiments/deploy/table4.py", *sys.argv[1:]]
    document = {"runs": runs, "peak_memory_gib": peak_memory_gib(), "environment": environment}
    (HERE / "quantization.json").write_text(json.dumps(document, indent=1) + "\n")
    (HERE / "quantization.md").write_text(markdown(runs, environment))
    print(markdown(runs, environment))


if __name__ == "__main__":
    main()
