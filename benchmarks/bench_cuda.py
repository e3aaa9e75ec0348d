"""On a GPU: correctness against the golden file, then step times and peak memory.

    python -m benchmarks.bench_cuda [--minutes 8.5]

Each case is a process of its own, so that none leaves memory or compiled code to the next, and has
a time limit; cases that no longer fit into the minutes are recorded as not run. Writes
benchmarks/results/cuda.json after every case. `--device cpu --tiny` tries the program out and
writes to the folder for temporary files. The exit code is 1 if a golden differs or no case ran.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.cuda_goldens import check_goldens
from benchmarks.paired import RESULTS, describe_machine, take_turns
from benchmarks.steps import AugmentSize, SearchSize, augment_step, search_step
from nas.runtime.compute import Compute, set_fp32_products
from nas.runtime.memory import peak_memory_mib

DTYPES = {"bf16": torch.bfloat16}
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
CASE_LIMIT_S, LONG_CASE_LIMIT_S = 60, 180
NUM_IMAGES = {"search": 25_000, "augment": 50_000}
"""Of an epoch on CIFAR-10: the half that updates w, or all."""
SEARCH_EPOCHS = 50

Case = dict[str, Any]
_SAME_WORK = ("what", "space", "order", "batch_size")
_SEARCH = {"what": "search", "space": "darts", "order": "first_order", "batch_size": 64}
_AUGMENT = {"what": "augment", "batch_size": 96}
_PLAIN = {"form": "plain", "precision": "fp32", "memory_format": "contiguous", "compile": "off"}
_OURS = {"form": "ours", "precision": "fp32", "memory_format": "channels_last", "compile": "off"}


def cases() -> list[Case]:
    """List what to measure, the most wanted first; what is compiled comes last."""
    bf16, contiguous = {"precision": "bf16"}, {"memory_format": "contiguous"}
    found = [_SEARCH | how for how in (_PLAIN, _OURS, _OURS | bf16)]
    found += [_SEARCH | _OURS | how for how in (contiguous, bf16 | contiguous)]
    found += [_SEARCH | _OURS | {"precision": "tf32"}, _SEARCH | _PLAIN | bf16]
    for change in ({"order": "second_order"}, {"space": "darts+sandglass"}):
        found += [_SEARCH | change | how for how in (_PLAIN, _OURS)]
    found += [_SEARCH | {"batch_size": 256} | how for how in (_PLAIN, _OURS, _OURS | bf16)]
    found += [_AUGMENT | how for how in (_PLAIN, _OURS, _OURS | bf16)]
    found += [{"what": "epoch", "precision": "bf16"}, {"what": "waits"}]
    compiled, graphs = {"compile": "default"}, {"compile": "reduce-overhead"}
    found += [_SEARCH | _OURS | compiled, _SEARCH | _OURS | bf16 | compiled]
    found += [_AUGMENT | _OURS | bf16 | how for how in (compiled, graphs)]
    return [*found, _SEARCH | _OURS | bf16 | compiled | {"batch_size": 256}]


def measure(case: Case, device: torch.device, tiny: bool) -> dict[str, Any]:
    """Time a case in this process."""
    if case["what"] == "epoch":
        return time_an_epoch(case, device, tiny)
    if case["what"] == "waits":
        return count_waits(device, tiny)
    started_s = time.perf_counter()
    step = build(case, device, tiny)
    step()
    first_step_s = time.perf_counter() - started_s
    times_s = take_turns({"step": step}, 3 if tiny else 10, device, warm_up=1 if tiny else 3)
    times_s = times_s["step"]
    return {
        "n": len(times_s),
        "median_step_s": round(statistics.median(times_s), 5),
        "smallest_step_s": round(min(times_s), 5),
        "largest_step_s": round(max(times_s), 5),
        "first_step_s": round(first_step_s, 2),
        # Elsewhere than on a GPU a process starts with the peak of the one that starts it.
        "peak_memory_mib": round(peak_memory_mib(device)) if device.type == "cuda" else None,
    }


def build(case: Case, device: torch.device, tiny: bool) -> Callable[[], None]:
    """Return the step of a case."""
    set_fp32_products(tf32=case["precision"] == "tf32")
    mode = None if case["compile"] == "off" else case["compile"]
    dtype = DTYPES.get(case["precision"])
    compute = Compute(device, dtype, FORMATS[case["memory_format"]], compile_mode=mode)
    small = {"init_channels": 4, "num_cells": 3, "batch_size": 4} if tiny else {}
    if case["what"] == "search":
        size = {key: case[key] for key in ("space", "order", "batch_size")}
        step = search_step(case["form"], SearchSize(**size | small), compute)
    else:
        size = {"batch_size": case["batch_size"]}
        step = augment_step(case["form"], AugmentSize(**size | small), compute)
    if case["form"] == "ours" or dtype is None:
        return step

    def plain_in_half_precision() -> None:  # the plain form itself knows of none
        with torch.autocast(device.type, dtype):
            step()

    return plain_in_half_precision


def time_an_epoch(case: Case, device: torch.device, tiny: bool) -> dict[str, Any]:
    """Run the search program for two epochs on drawn images; return the second one's times."""
    from nas.cli.search import main as search

    small = ["--max_images=48", "--init_channels=2", "--num_cells=3", "--batch_size=8"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        flags = [f"--out={out}", f"--device={device.type}", f"--precision={case['precision']}"]
        flags += ["--dataset=shapes", "--epochs=2", *(small if tiny else [])]
        if search(flags):
            raise RuntimeError("the search did not end well")
        last = json.loads((out / "timing.jsonl").read_text().splitlines()[-1])
    return {"command": " ".join(["search.py", *flags[1:]]), **last}


def count_waits(device: torch.device, tiny: bool) -> dict[str, Any]:
    """Run the search program, and count where the host waits for the GPU, as torch notices it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        found = time_an_epoch({"precision": "fp32"}, device, tiny)
    waits = [w for w in caught if "synchronizing CUDA operation" in str(w.message)]
    places = Counter(f"{Path(w.filename).name}:{w.lineno}" for w in waits)
    return {"command": found["command"], "waits": len(waits), "places": dict(places.most_common())}


def summarize(measured: list[Case]) -> list[dict[str, Any]]:
    """Return, by case, the ratio to the plain form in fp32, and what its step would make of a run.

    Nothing here is measured: the times are steps times the median step, without measuring, data and
    checkpoints.
    """
    steps = [case for case in measured if "median_step_s" in case]
    plain = {
        tuple(case.get(key) for key in _SAME_WORK): case["median_step_s"]
        for case in steps
        if case.items() >= _PLAIN.items()
    }
    rows = []
    for case in steps:
        work = tuple(case.get(key) for key in _SAME_WORK)
        epoch_s = -(-NUM_IMAGES[case["what"]] // case["batch_size"]) * case["median_step_s"]
        row = {key: case[key] for key in (*_SAME_WORK, *_OURS) if key in case}
        if work in plain:
            row["plain_to_this"] = round(plain[work] / case["median_step_s"], 2)
        row["derived_epoch_s"] = round(epoch_s, 1)
        if case["what"] == "search":
            row[f"derived_{SEARCH_EPOCHS}_epochs_s"] = round(SEARCH_EPOCHS * epoch_s, 1)
        rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="Networks of 4 channels and 3 cells, batch 4, whatever a case says, no second order "
        "of the golden file: to try this.",
    )
    parser.add_argument("--out", type=Path, help="Where to write the results.")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    device = torch.device(settings.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("bench_cuda: torch finds no GPU here", file=sys.stderr)
        return 2
    if settings.case:
        print(json.dumps(measure(json.loads(settings.case), device, settings.tiny)))
        return 0
    is_real = device.type == "cuda" and not settings.tiny
    folder = RESULTS if is_real else Path(tempfile.gettempdir())
    out = settings.out or folder / ("cuda.json" if is_real else "bench_cuda_trial.json")
    ends_s = time.monotonic() + 60 * settings.minutes
    flags = f"--minutes {settings.minutes:g} --device {device.type}"
    command = f"python -m benchmarks.bench_cuda {flags}{' --tiny' if settings.tiny else ''}"
    result = {"command": command, "tiny": settings.tiny, **describe_machine(device)}
    result["golden"] = check_goldens(device, second_order=not settings.tiny)
    print(f"golden: {result['golden']}", flush=True)
    measured: list[Case] = []
    for case in cases():
        is_short = case.get("compile") == "off"
        limit_s = CASE_LIMIT_S if is_short else LONG_CASE_LIMIT_S
        limit_s = min(limit_s, ends_s - time.monotonic())
        measured.append(case | _in_a_process(case, settings, limit_s))
        print(measured[-1], flush=True)
        result |= {"cases": measured, "summary": summarize(measured)}
        out.write_text(json.dumps(result, indent=1) + "\n")
    print(out)
    ran = any("not_run" not in case for case in measured)
    return 0 if ran and result["golden"]["passed"] else 1


def _in_a_process(case: Case, settings: argparse.Namespace, limit_s: float) -> dict[str, Any]:
    if limit_s < 10:
        return {"not_run": "no time left"}
    command = [sys.executable, "-m", "benchmarks.bench_cuda", f"--device={settings.device}"]
    command += [f"--case={json.dumps(case)}", *(["--tiny"] if settings.tiny else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"not_run": f"not finished after {limit_s:.0f} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["failed"]
        # Torch's compiler ends with advice, behind the line that names the error.
        return {"not_run": next((line for line in reversed(lines) if "Error" in line), lines[-1])}
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
