"""On a GPU: correctness against the CPU's golden files, then step times and peak memory.

    python -m benchmarks.bench_cuda [--minutes 9] [--device cuda]

Each case is a process of its own, so that none leaves memory or compiled code to the next, and has
a time limit; cases that no longer fit into the minutes are recorded as not run. Writes
benchmarks/results/cuda.json after every case. `--device cpu --tiny` tries the program out.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.paired import RESULTS, describe_machine, take_turns
from benchmarks.steps import AugmentSize, SearchSize, augment_step, search_step
from nas.runtime.compute import Compute
from nas.runtime.device import peak_memory_mib

DTYPES = {"fp32": None, "bf16": torch.bfloat16}
MODES = {"off": None, "default": "default", "reduce-overhead": "reduce-overhead"}
CASE_LIMIT_S = 240
GOLDEN_TESTS = "tests/golden/test_darts.py"


def cases() -> list[dict[str, Any]]:
    """List what to measure, the most wanted first."""
    found = [
        {"what": "search", "form": form, "batch_size": batch_size, "precision": precision}
        for batch_size in (64, 256)
        for form, precision in (("plain", "fp32"), ("ours", "fp32"), ("ours", "bf16"))
    ]
    found += [
        {"what": "augment", "form": form, "batch_size": 96, "precision": precision}
        for form, precision in (("plain", "fp32"), ("ours", "fp32"), ("ours", "bf16"))
    ]
    for what, batch_size in (("augment", 96), ("search", 64), ("search", 256)):
        found += [
            {
                "what": what,
                "form": "ours",
                "batch_size": batch_size,
                "precision": "bf16",
                "compile": mode,
            }
            for mode in ("reduce-overhead", "default")
        ]
    return [{"compile": "off", **case} for case in found]


def measure(case: dict[str, Any], device: torch.device, tiny: bool) -> dict[str, Any]:
    """Time a case's step in this process."""
    compute = Compute(
        device,
        DTYPES[case["precision"]],
        torch.channels_last,
        compile_mode=MODES[case["compile"]],
    )
    small = {"init_channels": 4, "num_cells": 3, "batch_size": 4} if tiny else {}
    build, size_class = {
        "search": (search_step, SearchSize),
        "augment": (augment_step, AugmentSize),
    }[case["what"]]
    size = size_class(**({"batch_size": case["batch_size"]} | small))
    started_s = time.perf_counter()
    step = build(case["form"], size, compute)
    step()
    first_step_s = time.perf_counter() - started_s
    times_s = take_turns({case["form"]: step}, 10, device, warm_up=3)[case["form"]]
    return {
        "n": len(times_s),
        "median_step_s": round(statistics.median(times_s), 5),
        "smallest_step_s": round(min(times_s), 5),
        "largest_step_s": round(max(times_s), 5),
        "first_step_s": round(first_step_s, 2),
        "peak_memory_mib": round(peak_memory_mib(device)),
    }


def check_goldens(device: torch.device) -> dict[str, Any]:
    """Run the supernet and the first-order architect on the device, in float64, against the file.

    Source: tests/golden/darts.json, figures of the DARTS code.
    """
    from torch.nn.functional import cross_entropy

    from nas.search import Architect
    from nas.space import load_space
    from nas.supernet import Alphas, Supernet
    from tests.golden import fill

    golden = fill.load("darts.json")["supernet"][0]
    space = load_space("darts")
    net = Supernet(space, init_channels=golden["init_channels"], num_cells=golden["num_cells"])
    net = fill.fill_weights(net).train().to(device)
    alphas = fill.fill_alphas(Alphas(space)).to(device)
    num = golden["batch"]
    train, val = (tuple(t.to(device) for t in fill.batch(num, start)) for start in (0, num))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    found: dict[str, Any] = {}
    logits = net(train[0], alphas.weights())
    found["logits"] = _largest_difference(logits, golden["logits"])
    loss = cross_entropy(logits, train[1])
    normal, reduce = torch.autograd.grad(loss, list(alphas.parameters()))
    found["grad_alpha_normal"] = _largest_difference(normal, golden["grad_alpha_normal"])
    found["grad_alpha_reduce"] = _largest_difference(reduce, golden["grad_alpha_reduce"])
    first = Architect(net, alphas, cross_entropy, optimizer).gradient(val)
    expected = golden["first_order"]["val_loss"]
    found["first_order_val_loss"] = _largest_difference(first.val_loss, expected)
    found["passed"] = all(difference <= 1e-8 for difference in found.values())
    return found


def _largest_difference(found: torch.Tensor, expected: Any) -> float:
    expected = torch.tensor(expected, dtype=torch.float64)
    return (found.detach().cpu() - expected).abs().max().item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "cuda.json")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    device = torch.device(settings.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("bench_cuda: torch finds no GPU here", file=sys.stderr)
        return 2
    if settings.case:
        print(json.dumps(measure(json.loads(settings.case), device, settings.tiny)))
        return 0
    ends_s = time.monotonic() + 60 * settings.minutes
    command = f"python -m benchmarks.bench_cuda --minutes {settings.minutes}"
    result = {"command": command, **describe_machine(device), "golden": check_goldens(device)}
    print(f"golden: {result['golden']}", flush=True)
    result["cases"] = []
    for case in cases():
        left_s = ends_s - time.monotonic()
        found = _in_a_process(case, settings, min(CASE_LIMIT_S, left_s))
        result["cases"].append({**case, **found})
        print(result["cases"][-1], flush=True)
        settings.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["golden"]["passed"] else 1


def _in_a_process(
    case: dict[str, Any], settings: argparse.Namespace, limit_s: float
) -> dict[str, Any]:
    if limit_s < 10:
        return {"not_run": "no time left"}
    command = [sys.executable, "-m", "benchmarks.bench_cuda", f"--device={settings.device}"]
    command += [f"--case={json.dumps(case)}", *(["--tiny"] if settings.tiny else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"not_run": f"not finished after {limit_s:.0f} s"}
    if done.returncode:
        return {"not_run": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
