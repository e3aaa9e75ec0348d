"""Timing forms side by side: they take turns, so that they see the same machine."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nas.runtime.environment import cpu_name, current_commit

RESULTS = Path(__file__).parent / "results"


def take_turns(
    steps: dict[str, Callable[[], None]], repeats: int, device: torch.device, warm_up: int = 1
) -> dict[str, list[float]]:
    """Return the seconds of each step by form, after `warm_up` rounds that are not counted."""
    times_s: dict[str, list[float]] = {form: [] for form in steps}
    for repeat in range(warm_up + repeats):
        for form, step in steps.items():
            _synchronize(device)
            started_s = time.perf_counter()
            step()
            _synchronize(device)
            if repeat >= warm_up:
                times_s[form].append(time.perf_counter() - started_s)
                print(f"{form} {times_s[form][-1]:.4f} s", flush=True)
    return times_s


def compare(times_s: dict[str, list[float]], one: str, other: str) -> dict[str, Any]:
    """Return medians, and the ratio of one form to the other round by round."""
    pairs = zip(times_s[one], times_s[other], strict=True)
    ratios = sorted(time_s / other_s for time_s, other_s in pairs)
    return {
        "times_s": {form: [round(t, 4) for t in times] for form, times in times_s.items()},
        "median_s": {form: round(statistics.median(t), 4) for form, t in times_s.items()},
        "median_ratio": round(statistics.median(ratios), 2),
        "smallest_ratio": round(ratios[0], 2),
        "largest_ratio": round(ratios[-1], 2),
    }


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return what a figure depends on."""
    found = {
        "commit": current_commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": cpu_name(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_1min": round(os.getloadavg()[0], 2),
    }
    if device.type == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return found


def write_results(name: str, result: dict[str, Any], markdown: str, folder: Path = RESULTS) -> None:
    """Write NAME.json and NAME.md, and print the latter."""
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown)
    print(markdown)


def comparison_table(result: dict[str, Any], title: str) -> str:
    """Write a comparison of the two forms, with their memory, as Markdown."""
    median, memory = result["median_s"], result["peak_memory_mib"]
    added = result["added_memory_mib"]
    return f"""# {title}

Command: `{result["command"]}`. Python {result["python"]}, torch {result["torch"]}, \
{result["cpu"]}, {result["processors"]} processors, {result["threads"]} threads, load average \
{result["load_average_1min"]} at the end (more than the threads means that other work took part of \
the processors); CPU, n = {len(result["times_s"]["ours"])} alternating pairs after a warm-up, \
{"each form" if result["at_a_time"] else "each step"} in a process of its own.

| form | median, s | peak memory, MiB | added by the steps, MiB |
|---|---:|---:|---:|
| plain | {median["plain"]:.2f} | {memory["plain"]:,} | {added["plain"]:,} |
| ours | {median["ours"]:.2f} | {memory["ours"]:,} | {added["ours"]:,} |
| plain / ours | {result["median_ratio"]:.2f} ({result["smallest_ratio"]:.2f} to \
{result["largest_ratio"]:.2f}) | {memory["plain"] / memory["ours"]:.2f} | \
{added["plain"] / added["ours"]:.2f} |

| seconds of a step in | plain | ours |
|---|---:|---:|
{_kinds_table(result)}

Peak memory: of a whole process that takes two steps, torch itself included; added by the steps: \
without what the process had before them. Seconds by kind: of one more step, by torch's \
profiler.{result["remark"]}
"""


def _kinds_table(result: dict[str, Any]) -> str:
    plain, ours = (result["time_by_kind_s"][form] for form in ("plain", "ours"))
    return "\n".join(f"| {kind} | {plain[kind]:.2f} | {ours[kind]:.2f} |" for kind in ours)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
