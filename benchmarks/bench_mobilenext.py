"""Measure MobileNeXt 1.0 at each identity tensor multiplier beside torchvision's MobileNetV2.

Latency of one image and throughput of a batch, on the CPU in eval mode, channels_last, 224 x 224,
float32. The networks take turns, round by round, so that whatever else the machine does falls on
all of them alike; figures are medians over the rounds. Before measuring, the running statistics
of the BatchNorms are set from a batch: with those of a new network activations shrink from layer
to layer down to denormal numbers, which are slow and which no trained network has.

    python -m benchmarks.bench_mobilenext [--threads 2] [--rounds 50]

Source: MobileNeXt (arXiv:2007.02269), Table 7, whose latency is of TF-Lite on a telephone.
"""

import argparse
import json
import os
import platform
import statistics
import time

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.paired import RESULTS
from nas.models import mobilenext
from nas.runtime.environment import cpu_name

BASELINE = "MobileNetV2 1.0 (torchvision)"
RATIOS = ("1", "1/2", "1/3", "1/6")
BATCH_SIZE = 16
BATCHES = 5
IMAGE = (3, 224, 224)


def networks() -> dict[str, nn.Module]:
    """Build the networks by name, ready to be measured."""
    torch.manual_seed(0)
    found = {BASELINE: torchvision.models.mobilenet_v2()}
    found |= {f"MobileNeXt 1.0, ratio {ratio}": mobilenext(1.0, ratio) for ratio in RATIOS}
    images = torch.randn(BATCH_SIZE, *IMAGE)
    for net in found.values():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # the running statistics become those of the batch
        with torch.no_grad():
            net.train()(images)
        net.eval().to(memory_format=torch.channels_last)
    return found


def alternating_times(nets: dict[str, nn.Module], images: Tensor, rounds: int) -> dict[str, list]:
    """Return the seconds of each forward pass by network; they take turns."""
    times = {name: [] for name in nets}
    with torch.inference_mode():
        for turn in range(rounds + 2):
            for name, net in nets.items():
                start = time.perf_counter()
                net(images)
                if turn >= 2:  # two to warm up
                    times[name].append(time.perf_counter() - start)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    nets = networks()
    layout = {"memory_format": torch.channels_last}
    single = alternating_times(nets, torch.randn(1, *IMAGE).to(**layout), arguments.rounds)
    batch = alternating_times(nets, torch.randn(BATCH_SIZE, *IMAGE).to(**layout), BATCHES)
    summary = {
        "command": f"python -m benchmarks.bench_mobilenext --threads {arguments.threads} "
        f"--rounds {arguments.rounds}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cpu": cpu_name(),
        "processors": os.cpu_count(),
        "threads": arguments.threads,
        "load_average_1min": round(os.getloadavg()[0], 2),
        "rounds": arguments.rounds,
        "batch_size": BATCH_SIZE,
        "batches": BATCHES,
        "networks": {
            name: {
                "latency_ms": {
                    "median": round(1e3 * statistics.median(single[name]), 2),
                    "best": round(1e3 * min(single[name]), 2),
                },
                # Round by round: both were measured within the same moment.
                "latency_to_baseline": round(
                    statistics.median(
                        ours / theirs
                        for ours, theirs in zip(single[name], single[BASELINE], strict=True)
                    ),
                    3,
                ),
                "images_per_s": round(BATCH_SIZE / statistics.median(batch[name]), 1),
            }
            for name in nets
        },
    }
    (RESULTS / "mobilenext.json").write_text(json.dumps(summary, indent=2) + "\n")
    (RESULTS / "mobilenext.md").write_text(report(summary))
    print((RESULTS / "mobilenext.md").read_text())
    return 0


def report(summary: dict) -> str:
    """Write the figures as Markdown."""
    rows = "\n".join(
        f"| {name} | {found['latency_ms']['median']:.1f} | {found['latency_ms']['best']:.1f} | "
        f"{found['latency_to_baseline']:.2f} | {found['images_per_s']:.0f} |"
        for name, found in summary["networks"].items()
    )
    to_baseline = {
        name: found["latency_to_baseline"] for name, found in summary["networks"].items()
    }
    full, least = (to_baseline[f"MobileNeXt 1.0, ratio {ratio}"] for ratio in ("1", "1/6"))
    verdict = "at or below" if full <= 1 else "above"
    threads = summary["threads"]
    return f"""# MobileNeXt and MobileNetV2 on the CPU

Command: `{summary["command"]}`.
Python {summary["python"]}, torch {summary["torch"]}, torchvision {summary["torchvision"]};
{summary["cpu"]}, {summary["processors"]} processors, threads: {threads}, load average
{summary["load_average_1min"]} at the end (more than {threads} means that other work took
part of the processors). Eval mode, float32, channels_last, 224 x 224, nothing fused or compiled.

| network | latency of one image, ms: median | best | to MobileNetV2 | images/s, batch of \
{summary["batch_size"]} |
|---|---:|---:|---:|---:|
{rows}

Latency: n = {summary["rounds"]} rounds in which the networks take turns; to MobileNetV2: median of
the ratios within a round. Throughput: median of {summary["batches"]} batches, likewise.

MobileNeXt (ratio 1) is {verdict} MobileNetV2's latency here, by a factor of {full:.2f}; the paper
has 66 against 68 ms, a factor of 0.97, with TF-Lite on a telephone. From ratio 1 to 1/6 the latency
changes by {100 * (least / full - 1):+.0f} % here; the authors measured 211 and 188 ms (-11 %) with
PyTorch on a telephone.
"""


if __name__ == "__main__":
    raise SystemExit(main())
